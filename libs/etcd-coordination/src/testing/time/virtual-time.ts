import { TestingUsageError } from '../testing.errors.js';
import { IoRest } from './io-rest.js';
import { settling } from './settling.js';
import { DEFAULT_WITHIN_MS, type TestTime } from './test-time.js';
import { TimerQueue } from './timer-queue.js';

/** How long to wait, in real milliseconds, for what no timer of the test's time brings about. */
const REAL_PATIENCE_MS = 2000;
/** How long, when time is over: a module may be on its way from a disk, which nothing here can see. */
const LAST_PATIENCE_MS = 500;
/** For how long nothing but the real world may be at work while an application starts or ends. */
const LONGEST_START_MS = 30_000;
/** Between two steps, while an application starts or ends. */
const STEP_PATIENCE_MS = 20;

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
        else if (this.timers.size > 0 || !(await this.reality(condition, REAL_PATIENCE_MS))) {
          this.time = Math.max(this.time, end);
          return this.reality(condition, LAST_PATIENCE_MS);
        }
      }
      return true;
    });
  }

  /**
   * As {@link run}, for the start or the end of an application, in which the real world has its part:
   * modules are loaded, servers listen. Time passes only after that had so many real milliseconds.
   */
  patiently<T>(work: () => Promise<T>, patienceMs: number): Promise<T> {
    const gently = (condition: () => boolean, withinMs: number) =>
      this.alone(async () => {
        const end = this.time + withinMs;
        const realEnd = performance.now() + LONGEST_START_MS;
        let patience = patienceMs;
        while (!(await this.reality(condition, patience))) {
          if (this.timers.size === 0 && performance.now() < realEnd) continue;
          if (this.timers.nextAt > end) return false;
          await this.step();
          patience = STEP_PATIENCE_MS;
        }
        return true;
      });
    return settling(gently, work);
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

  /** Waits for what is not brought about by this time, for some real milliseconds. */
  private async reality(condition: () => boolean, patienceMs: number): Promise<boolean> {
    const end = performance.now() + patienceMs;
    while (!condition() && performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return condition();
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
