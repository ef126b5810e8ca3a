import { TestingUsageError } from '../testing.errors.js';
import { IoRest } from './io-rest.js';
import { settling } from './settling.js';
import { DEFAULT_WITHIN_MS, type TestTime } from './test-time.js';
import { TimerQueue } from './timer-queue.js';

/** How long to wait, in real milliseconds, for what no timer of the test's time brings about. */
const REAL_PATIENCE_MS = 10_000;

/** A time that stands still until the test lets it go on. */
export class VirtualTime implements TestTime {
  readonly kind = 'virtual';
  private readonly timers = new TimerQueue();
  private readonly rest = new IoRest();
  private time = 1000;
  private closed = false;
  /** One lets time pass after the other. */
  private turn: Promise<unknown> = Promise.resolve();

  constructor() {
    this.rest.open();
  }

  now(): number {
    return this.time;
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    if (this.closed) return () => undefined;
    return this.timers.add(this.time + Math.max(0, delayMs), callback);
  }

  /** How many timers have yet to fire. */
  get pending(): number {
    return this.timers.size;
  }

  advance(ms: number): Promise<void> {
    if (typeof ms !== 'number' || !(ms >= 0) || ms === Infinity) {
      throw new TestingUsageError(
        `Time cannot be advanced by ${String(ms)} ms: give a number of milliseconds, 0 or more. Time never goes backwards.`,
      );
    }
    return this.alone(async () => {
      const end = this.time + ms;
      await this.rest.come();
      while (this.timers.nextAt <= end) await this.step();
      this.time = Math.max(this.time, end);
    });
  }

  settle(): Promise<void> {
    return this.alone(() => this.rest.come());
  }

  until(condition: () => boolean, withinMs = DEFAULT_WITHIN_MS): Promise<boolean> {
    return this.alone(async () => {
      const end = this.time + withinMs;
      await this.rest.come();
      while (!condition()) {
        if (this.timers.size > 0 && this.timers.nextAt <= end) await this.step();
        else if (this.timers.size > 0 || !(await this.reality(condition))) {
          this.time = Math.max(this.time, end);
          return condition();
        }
      }
      return true;
    });
  }

  run<T>(work: Promise<T> | (() => Promise<T>), withinMs?: number): Promise<T> {
    return settling((condition, ms) => this.until(condition, ms), work, withinMs);
  }

  /** Time is over: no timer fires any more. */
  close(): void {
    this.closed = true;
    this.timers.clear();
    this.rest.close();
  }

  private async step(): Promise<void> {
    this.time = Math.max(this.time, this.timers.nextAt);
    this.timers.fireNext();
    await this.rest.come();
  }

  /** Nothing here waits for time: what is awaited is of the real world. */
  private async reality(condition: () => boolean): Promise<boolean> {
    const end = performance.now() + REAL_PATIENCE_MS;
    while (!condition() && this.timers.size === 0 && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return condition() || this.timers.size > 0;
  }

  private alone<T>(work: () => Promise<T>): Promise<T> {
    const next = this.turn.then(() => {
      if (this.closed) {
        throw new TestingUsageError(
          'Time cannot go on after the end of the test: the fleet is closed, or its application is. Do it before.',
        );
      }
      return work();
    });
    this.turn = next.catch(() => undefined);
    return next;
  }
}
