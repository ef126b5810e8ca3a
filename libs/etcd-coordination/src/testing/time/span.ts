import { TestingUsageError } from '../testing.errors.js';

/** @throws TestingUsageError for what is no bound of a wait; Infinity is one */
export function assertBound(withinMs: number): void {
  if (withinMs >= 0) return;
  throw new TestingUsageError(
    `Nothing can be waited for within ${String(withinMs)} ms: give a number of milliseconds, 0 or more.`,
  );
}

/** @throws TestingUsageError for what is no span of time */
export function assertSpan(ms: number): void {
  if (Number.isFinite(ms) && ms >= 0) return;
  throw new TestingUsageError(
    `Time cannot be advanced by ${String(ms)} ms: give a number of milliseconds, 0 or more. Time never goes backwards.`,
  );
}
