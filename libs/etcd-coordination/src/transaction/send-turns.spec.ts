import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import { VirtualClock } from '../../../../test/support/virtual-clock.js';
import { SendTurns } from './send-turns.js';

describe('SendTurns', () => {
  it('sends once the code that asks has run, while nothing is under way', async () => {
    const send = vi.fn<() => void>();
    const turns = new SendTurns(systemClock, 0, send);
    // Two that are answered together ask again one after the other.
    const answered = Promise.resolve();
    const asked: number[] = [];
    for (const who of [1, 2]) {
      void answered.then(() => {
        expect(send).not.toHaveBeenCalled();
        asked.push(who);
        turns.request(0);
      });
    }
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(asked).toEqual([1, 2]);
    expect(send).toHaveBeenCalledTimes(1);
  });

  it('sends with the end of the turn while little is under way, and nothing while more is', async () => {
    const send = vi.fn<() => void>();
    const turns = new SendTurns(systemClock, 0, send);
    turns.begin();
    turns.request(0);
    await new Promise<void>((resolve) => process.nextTick(resolve));
    expect(send).not.toHaveBeenCalled();
    await turn();
    expect(send).toHaveBeenCalledTimes(1);

    turns.begin();
    expect(turns.areTaken).toBe(true);
    turns.hurry();
    await turn();
    await turn();
    expect(send).toHaveBeenCalledTimes(1);
    turns.back();
    expect(turns.areTaken).toBe(false);
    turns.hurry();
    await turn();
    expect(send).toHaveBeenCalledTimes(2);
  });

  it('waits for the window of the oldest, and for none that is hurried', async () => {
    const clock = new VirtualClock();
    const send = vi.fn<() => void>();
    const turns = new SendTurns(clock, 10, send);
    const start = clock.now();
    turns.request(start);
    await clock.advance(9);
    // One that waits for longer already.
    turns.request(start - 0.5);
    expect(send).not.toHaveBeenCalled();
    await clock.advance(0.5);
    await turn();
    expect(send).toHaveBeenCalledTimes(1);

    turns.request(clock.now());
    turns.hurry();
    await turn();
    expect(send).toHaveBeenCalledTimes(2);
    await clock.advance(20);
    await turn();
    expect(send).toHaveBeenCalledTimes(2);
  });
});
