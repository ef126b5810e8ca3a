import { TestingUsageError } from '../testing.errors.js';
import { IoRest } from './io-rest.js';
import { assertBound, assertSpan } from './span.js';
import { type Awaited, settling } from './settling.js';
import { DEFAULT_WITHIN_MS, type TestTime } from './test-time.js';
import { TimerQueue } from './timer-queue.js';

/** How long to wait, in real milliseconds, for what no timer of the test's time brings about. */
const REAL_PATIENCE_MS = 2000;
/** How long, when time is over: a module may be on its way from a disk, which nothing here can see. */
const LAST_PATIENCE_MS = 500;
/** For how long nothing but the real world may be at work while an application starts or ends. */
const LONGEST_START_MS = 30_000;
/** How long it may be at work at least, however much of the test's time has passed: the machine may be slow. */
const LEAST_START_MS = 8000;
/** Between two steps, while an application starts or ends. */
const STEP_PATIENCE_MS = 20;

/** One who lets time pass. */
interface Wait {
  readonly condition: () => boolean;
  /** Whether the end is what is waited for, and so no disappointment. */
  readonly isSpan: boolean;
  readonly end: number;
  readonly resolve: (holds: boolean) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A time that stands still until the test lets it go on. Several may do so at once: it goes on for
 * as long as one of them waits, and each is told at its moment.
 */
export class VirtualTime implements TestTime {
  readonly kind = 'virtual';
  private readonly timers = new TimerQueue();
  private readonly rest = new IoRest();
  private readonly waits = new Set<Wait>();
  private time = 1000;
  private driving = false;
  private closed = false;

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

  async advance(ms: number): Promise<void> {
    assertSpan(ms);
    await this.wait(() => false, ms, true);
  }

  settle(): Promise<void> {
    return this.advance(0);
  }

  async until(condition: () => boolean, withinMs = DEFAULT_WITHIN_MS): Promise<boolean> {
    assertBound(withinMs);
    return this.wait(condition, withinMs, false);
  }

  run<T>(work: Promise<T> | (() => Promise<T>), withinMs?: number): Promise<T> {
    return settling((condition, ms) => this.until(condition, ms), work, withinMs);
  }

  /**
   * As {@link run}, for the start or the end of an application, in which the real world has its part:
   * modules are loaded, servers listen. Time passes only after that had so many real milliseconds.
   */
  patiently<T>(work: () => Promise<T>, patienceMs: number, awaited: Awaited): Promise<T> {
    const gently = async (condition: () => boolean, withinMs: number): Promise<boolean> => {
      const end = this.time + withinMs;
      const since = performance.now();
      for (let patience = patienceMs; !(await inReality(condition, patience));) {
        const elapsed = performance.now() - since;
        if (this.timers.size === 0 && elapsed < LONGEST_START_MS) continue;
        if (this.timers.nextAt > end) {
          if (elapsed < LEAST_START_MS) continue;
          return false;
        }
        await this.wait(condition, this.timers.nextAt - this.time, true);
        patience = STEP_PATIENCE_MS;
      }
      return true;
    };
    return settling(gently, work, DEFAULT_WITHIN_MS, awaited);
  }

  /** Time is over: no timer fires any more. */
  close(): void {
    this.closed = true;
    this.timers.clear();
    this.rest.close();
    this.endAll((wait) => wait.reject(over()));
  }

  private wait(condition: () => boolean, ms: number, isSpan: boolean): Promise<boolean> {
    if (this.closed) return Promise.reject(over());
    return new Promise((resolve, reject) => {
      this.waits.add({ condition, isSpan, end: this.time + ms, resolve, reject });
      if (!this.driving) void this.drive();
    });
  }

  private async drive(): Promise<void> {
    this.driving = true;
    try {
      while (this.waits.size > 0) {
        await this.rest.come();
        // Who is told may do something about it before time goes on.
        if (!this.tell() && this.waits.size > 0) await this.step();
      }
    } catch (error) {
      this.endAll((wait) => wait.reject(error));
    } finally {
      this.driving = false;
    }
  }

  /** Tells those whose condition holds. Says whether there was one. */
  private tell(): boolean {
    let told = false;
    for (const wait of [...this.waits]) {
      const holds = settled(wait);
      if (!holds) continue;
      this.waits.delete(wait);
      holds();
      told = true;
    }
    return told;
  }

  /** Goes on to the next timer, or to the end of those who have waited for long enough. */
  private async step(): Promise<void> {
    const due = () => Math.min(...[...this.waits].map(({ end }) => end));
    if (this.timers.nextAt <= due() && this.timers.size > 0) {
      this.time = Math.max(this.time, this.timers.nextAt);
      this.timers.fireNext();
      return;
    }
    const isOver = ({ end }: Wait) => end === due();
    if (![...this.waits].some((wait) => isOver(wait) && wait.isSpan)) {
      const before = this.waits.size;
      const changed = () =>
        this.waits.size !== before ||
        (this.timers.size > 0 && this.timers.nextAt <= due()) ||
        [...this.waits].some(({ condition }) => condition());
      const patience = this.timers.size === 0 ? REAL_PATIENCE_MS : LAST_PATIENCE_MS;
      if (await inReality(changed, patience)) return;
      // Whoever waits for ever waits for the real world.
      if (due() === Infinity) return;
    }
    const end = due();
    this.time = Math.max(this.time, end);
    this.endAll(
      (wait) => wait.resolve(wait.condition()),
      (wait) => wait.end === end,
    );
  }

  private endAll(how: (wait: Wait) => void, which: (wait: Wait) => boolean = () => true): boolean {
    const ended = [...this.waits].filter(which);
    for (const wait of ended) this.waits.delete(wait);
    for (const wait of ended) how(wait);
    return ended.length > 0;
  }
}

/** What to tell one who waits, if there is something: a condition that throws is that one's fault alone. */
function settled({ condition, resolve, reject }: Wait): (() => void) | null {
  try {
    return condition() ? () => resolve(true) : null;
  } catch (error) {
    return () => reject(error);
  }
}

/** Waits for what this time does not bring about, for some real milliseconds. */
async function inReality(condition: () => boolean, patienceMs: number): Promise<boolean> {
  const end = performance.now() + patienceMs;
  while (!condition() && performance.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return condition();
}

function over(): TestingUsageError {
  return new TestingUsageError(
    'Time cannot go on after the end of the test: the fleet is closed, or its application is. Do it before.',
  );
}
