import type { MonotonicClock } from '../../client/clock.js';

/** For how long something is waited for unless it is said, in milliseconds of the test's time. */
export const DEFAULT_WITHIN_MS = 60_000;

/** The time by which everything in a test lives: all instances, and the etcd that they share. */
export interface TestTime extends MonotonicClock {
  /** `virtual` stands still until it is told to go on; `real` is the machine's. */
  readonly kind: 'virtual' | 'real';

  /**
   * Lets so many milliseconds pass: every timer fires at its moment, in order, over all instances and
   * etcd, and between two of them all that follows from it without time comes to its end.
   *
   * @throws TestingUsageError for a span that is none, and after the end of the test
   * @throws TestRestlessError if something never comes to an end
   */
  advance(ms: number): Promise<void>;

  /** Lets all that needs no more time come to its end. */
  settle(): Promise<void>;

  /** Lets time pass until `condition` holds, and no further. Says whether it came to hold within the span. */
  until(condition: () => boolean, withinMs?: number): Promise<boolean>;

  /**
   * Lets time pass until `work` has settled, and gives its result.
   *
   * @throws TestWaitError if it has not settled within the span; and what it rejects with
   */
  run<T>(work: Promise<T> | (() => Promise<T>), withinMs?: number): Promise<T>;
}
