import type { MonotonicClock } from '../../libs/etcd-coordination/src/client/clock.js';

interface Timer {
  readonly at: number;
  readonly callback: () => void;
}

/** A clock that stands still until the test moves it. */
export class VirtualClock implements MonotonicClock {
  private time: number;
  private timers: Timer[] = [];

  constructor(start = 1000) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.time + delayMs, callback };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Timers that have yet to fire. */
  get pending(): number {
    return this.timers.length;
  }

  /** Lets time pass: every timer fires at its moment, and what it starts may settle before the next one. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await settle();
    for (let next = this.next(end); next; next = this.next(end)) {
      this.time = Math.max(this.time, next.at);
      this.fire(next);
      await settle();
    }
    this.time = end;
  }

  /** Time passes and nothing fires, as while the event loop is blocked or the process frozen. */
  freeze(ms: number): void {
    this.time += ms;
  }

  private next(end: number): Timer | undefined {
    const [first] = this.timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at);
    return first;
  }

  private fire(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    timer.callback();
  }
}

/** Lets everything that needs no more time, promises upon promises, come to its end. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
