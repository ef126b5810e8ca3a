import { describe, expect, it } from 'vitest';
import { TrueHistory } from '../../check/evidence-builder.js';
import type { ObserverNote } from './notes.js';
import { observerFaults } from './observed-leaders.js';

let t = 0;
const observed = (leader: string | null, token: bigint | ''): ObserverNote => ({
  ...{ t: (t += 1), process: '0.0', work: 'elections', type: 'observed', of: 'election/a' },
  ...{ leader, token: String(token) },
});

describe('what observers of an election say', () => {
  const history = new TrueHistory();
  const first = history.put('election/a/1-0').now;
  const second = history.put('election/a/2-0').now;
  const left = history.put('election/a/3-0').now;
  history.delete('election/a/3-0').delete('election/a/1-0');
  const elsewhere = history.put('election/b/1-0').now;
  const { truth } = history;

  it('is right when it is what the keys say', () => {
    const notes = [observed(null, ''), observed('1', first), observed('2', second)];
    expect(observerFaults(notes, truth)).toEqual([]);
  });

  it.each([
    ['one who left before its turn', left],
    ['one who leads elsewhere', elsewhere],
    ['nobody that there is', 99n],
  ])('is wrong when it names %s', (_who, token) => {
    expect(observerFaults([observed('x', token)], truth)).toMatchObject([
      expect.stringContaining('never led'),
    ]);
  });

  it('is wrong when it goes back', () => {
    expect(observerFaults([observed('2', second), observed('1', first)], truth)).toMatchObject([
      expect.stringContaining('went back'),
    ]);
  });
});
