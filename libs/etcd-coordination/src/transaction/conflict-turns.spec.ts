import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConflictTurns } from './conflict-turns.js';

describe('ConflictTurns', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('gives one turn after the other, in the order in which they were asked for', async () => {
    const turns = new ConflictTurns();
    expect(turns.isContended('a')).toBe(false);
    const first = await turns.take('a');
    expect(first.hasWaited).toBe(false);
    expect([turns.isContended('a'), turns.isContended('b')]).toEqual([true, false]);
    const order: string[] = [];
    const waiting = ['second', 'third'].map(async (name) => {
      const turn = await turns.take('a');
      order.push(name);
      return turn;
    });
    // Another key is another queue.
    (await turns.take('b')).release();
    expect(order).toEqual([]);
    first.release();
    const second = await waiting[0]!;
    expect(second.hasWaited).toBe(true);
    expect(order).toEqual(['second']);
    second.release();
    (await waiting[1]!).release();
    expect(order).toEqual(['second', 'third']);
    expect(turns.isContended('a')).toBe(false);
  });

  it('keeps nobody waiting behind one that takes too long, and one at a time again after it', async () => {
    const turns = new ConflictTurns();
    const slow = await turns.take('a');
    const second = turns.take('a');
    await vi.advanceTimersByTimeAsync(500);
    const impatient = await second;
    let third = false;
    const waiting = turns.take('a').then((turn) => {
      third = true;
      return turn;
    });
    impatient.release();
    await vi.advanceTimersByTimeAsync(1);
    // The slow one is not done yet.
    expect(third).toBe(false);
    slow.release();
    await vi.advanceTimersByTimeAsync(1);
    expect(third).toBe(true);
    (await waiting).release();
    expect(turns.isContended('a')).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('leaves no timer behind', async () => {
    const turns = new ConflictTurns();
    const first = await turns.take('a');
    const second = turns.take('a');
    first.release();
    (await second).release();
    expect(vi.getTimerCount()).toBe(0);
  });
});
