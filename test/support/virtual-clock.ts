import type { MonotonicClock } from '../../libs/etcd-coordination/src/client/clock.js';
import { TimerQueue } from '../../libs/etcd-coordination/src/testing/time/timer-queue.js';

/** A clock that stands still until the test moves it, for what needs neither Nest nor a connection. */
export class VirtualClock implements MonotonicClock {
  private readonly timers = new TimerQueue();
  private time: number;

  constructor(start = 1000) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    return this.timers.add(this.time + delayMs, callback);
  }

  /** Timers that have yet to fire. */
  get pending(): number {
    return this.timers.size;
  }

  /** Lets time pass: every timer fires at its moment, and what it starts may settle before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    while (this.timers.nextAt <= end) {
      this.time = Math.max(this.time, this.timers.nextAt);
      this.timers.fireNext();
      await settle();
    }
    this.time = end;
  }

  /** Time passes and nothing fires, as while the event loop is blocked or the process frozen. */
  freeze(ms: number): void {
    this.time += ms;
  }
}

/** Lets everything that needs no more time, promises upon promises, come to its end. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
