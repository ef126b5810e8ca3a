import { beforeEach, describe, expect, test } from 'vitest';
import type { MonotonicClock } from '../../client/clock.js';
import { Lessor } from './lessor.js';

/** Time that stands still until it is told to pass. */
class ManualClock implements MonotonicClock {
  private time = 1000;
  private readonly timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.time;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** @param lateMs how late timers run, as on a busy machine */
  pass(ms: number, lateMs = 0): void {
    const end = this.time + ms;
    for (;;) {
      const next = [...this.timers].sort((a, b) => a.at - b.at)[0];
      if (!next || next.at + lateMs > end) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at + lateMs);
      next.callback();
    }
    this.time = end;
  }

  get pending(): number {
    return this.timers.size;
  }
}

describe('Lessor', () => {
  let clock: ManualClock;
  let lessor: Lessor;
  let deletions: (readonly string[])[];

  beforeEach(() => {
    clock = new ManualClock();
    lessor = new Lessor(clock);
    deletions = [];
    lessor.onEnd((keys) => deletions.push(keys));
  });

  test('a lease stands for its whole TTL and not longer', () => {
    lessor.grant(1n, 5);
    lessor.reattach('key', 0n, 1n);
    clock.pass(4999);
    expect(lessor.has(1n)).toBe(true);
    clock.pass(1);
    expect(lessor.has(1n)).toBe(false);
    expect(deletions).toEqual([['key']]);
  });

  test('a renewal starts the TTL anew', () => {
    lessor.grant(1n, 5);
    clock.pass(4000);
    expect(lessor.renew(1n)).toBe(5);
    clock.pass(4999);
    expect(lessor.has(1n)).toBe(true);
    clock.pass(1);
    expect(lessor.has(1n)).toBe(false);
  });

  test('a lease whose time is up is not renewed, even if no timer ran yet', () => {
    lessor.grant(1n, 5);
    clock.pass(5001, 60_000);
    expect(lessor.renew(1n)).toBe(0);
    expect(lessor.has(1n)).toBe(false);
  });

  test('a shorter lease ends before a longer one that was granted first', () => {
    lessor.grant(1n, 100);
    lessor.grant(2n, 3);
    lessor.grant(3n, 4);
    clock.pass(3000);
    expect(lessor.all().map(({ id }) => id)).toEqual([3n, 1n]);
    clock.pass(1000);
    expect(lessor.all().map(({ id }) => id)).toEqual([1n]);
  });

  test('a TTL beyond what timers can count does not end the lease at once', () => {
    lessor.grant(1n, 9_000_000_000);
    clock.pass(2 ** 31);
    expect(lessor.has(1n)).toBe(true);
  });

  test('at most one timer runs, and none after the end', () => {
    for (let id = 1n; id < 20n; id++) lessor.grant(id, 10 + Number(id));
    expect(clock.pending).toBe(1);
    lessor.close();
    expect(clock.pending).toBe(0);
  });
});
