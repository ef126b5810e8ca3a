import { describe, expect, it } from 'vitest';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import { Bell } from './bell.js';

describe('a bell', () => {
  async function hasWoken(waiting: Promise<void>): Promise<boolean> {
    let woke = false;
    void waiting.then(() => (woke = true));
    await settle();
    return woke;
  }

  it('wakes whoever waits, and counts for the next wait if nobody does', async () => {
    const bell = new Bell(new VirtualClock());
    bell.ring();
    bell.ring();
    expect(await hasWoken(bell.next())).toBe(true);
    const waiting = bell.next();
    expect(await hasWoken(waiting)).toBe(false);
    bell.ring();
    expect(await hasWoken(waiting)).toBe(true);
  });

  it('wakes at its time too, and leaves no timer when it rings before', async () => {
    const clock = new VirtualClock(1000);
    const bell = new Bell(clock);
    const waiting = bell.next(1500);
    await clock.advance(499);
    expect(await hasWoken(waiting)).toBe(false);
    await clock.advance(1);
    expect(await hasWoken(waiting)).toBe(true);
    const next = bell.next(9000);
    bell.ring();
    await next;
    expect(clock.pending).toBe(0);
  });
});
