import { describe, expect, it } from 'vitest';
import { FleetSize, fleetVerdict } from './fleet-verdict.js';

describe('what a fleet comes to', () => {
  const verdict = (present: 'on' | 'off', off: number, instances: number, lately = instances) =>
    fleetVerdict(present, { instances, off, lately }, 0.5);

  it('is cut by more than half of its instances', () => {
    expect([0, 1, 2, 3, 5].map((off) => verdict('on', off, 5))).toEqual([
      null,
      null,
      null,
      'off',
      'off',
    ]);
    expect(verdict('on', 1, 2)).toBeNull();
    expect(verdict('on', 1, 1)).toBe('off');
    expect(verdict('on', 0, 0)).toBeNull();
    expect(fleetVerdict('on', { instances: 5, off: 5, lately: 5 }, 1)).toBeNull();
    expect(fleetVerdict('on', { instances: 5, off: 1, lately: 5 }, 0)).toBe('off');
  });

  it('goes on when three in four are well: between the two it stays as it is', () => {
    expect([0, 1, 2, 3, 4, 8].map((off) => verdict('off', off, 8))).toEqual([
      'on',
      'on',
      'on',
      null,
      null,
      null,
    ]);
    expect(verdict('off', 0, 0)).toBeNull();
  });

  it('is not what is first to come back after an outage', () => {
    expect(verdict('on', 1, 1, 5)).toBeNull();
    expect(verdict('on', 3, 3, 5)).toBe('off');
  });

  it('remembers its size for half a minute at least, and no more than a whole one', () => {
    const size = new FleetSize();
    expect(size.note(0, 5)).toBe(5);
    expect(size.note(29_000, 1)).toBe(5);
    expect(size.note(30_000, 1)).toBe(5);
    expect(size.note(59_000, 2)).toBe(5);
    expect(size.note(60_000, 1)).toBe(2);
    expect(size.note(130_000, 1)).toBe(1);
  });
});
