import { failed, type CheckOutcome } from './check-answer.js';

/** Holds what was measured against what may be. */
export function judgeDelay(delayMs: number, maxMs: number): CheckOutcome {
  if (delayMs <= maxMs) return { passed: true };
  return failed(`was held up for ${Math.round(delayMs)} ms, which may be ${maxMs} ms`);
}
