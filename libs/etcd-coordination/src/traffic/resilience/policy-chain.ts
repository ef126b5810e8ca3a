import type { MonotonicClock } from '../../client/clock.js';
import type { CircuitBreaker } from './breaker/circuit-breaker.js';
import type { Bulkhead } from './bulkhead.js';
import type { Policy } from './policy.js';
import type { AttemptStep, RequestStep } from './resilient-request.js';
import type { RetryBudget } from './retry-budget.js';
import { breakerStep } from './steps/breaker.step.js';
import { bulkheadStep } from './steps/bulkhead.step.js';
import { callStep } from './steps/call.step.js';
import { deadlineStep } from './steps/deadline.step.js';
import { fallbackStep } from './steps/fallback.step.js';
import { hedgeStep } from './steps/hedge.step.js';
import { onceStep, retryStep } from './steps/retry.step.js';

/** By what a policy tells the time, and how far it spreads its pauses. */
export interface PolicyGround {
  readonly clock: MonotonicClock;
  /** From 0 up to, and without, 1. */
  readonly random: () => number;
}

/** What of a policy outlives a change of its numbers. */
export interface PolicyState {
  readonly budget: RetryBudget;
  readonly breaker: CircuitBreaker | null;
  readonly bulkhead: Bulkhead | null;
}

/**
 * Puts the parts of a policy around a call. Outermost first:
 *
 * 1. fallback: stands in for whatever comes out of the others
 * 2. retry: each attempt goes through all that follows, so each counts for the breaker, has its own time
 *    and a place of its own
 * 3. hedge: inside of retry, for it is to help one attempt that is slow; outside, it would also start
 *    where an attempt has failed and is pausing
 * 4. breaker: inside of retry, so that no attempt gets past it once it is open
 * 5. timeout: inside of the breaker, for which it is a failure
 * 6. bulkhead: inside of the timeout, so that the wait for a place is part of the time
 * 7. the call
 */
export function chainOf(
  name: string,
  policy: Policy,
  { budget, breaker, bulkhead }: PolicyState,
  { clock, random }: PolicyGround,
): RequestStep {
  const placed = bulkhead ? bulkheadStep(bulkhead, callStep) : callStep;
  const timed = deadlineStep({ policy: name, clock, timeoutMs: policy.timeoutMs }, placed);
  const guarded = breaker ? breakerStep(breaker, timed) : timed;
  const hedged: AttemptStep = policy.hedge
    ? hedgeStep({ clock, numbers: policy.hedge, budget }, guarded)
    : guarded;
  const numbers = policy.retry ?? { attempts: 1, initialDelayMs: 0, maxDelayMs: 0 };
  const isHopeless = () => breaker?.isShut ?? false;
  // Without either nobody spends of the budget.
  const repeated =
    policy.retry || policy.hedge
      ? retryStep({ clock, random, numbers, budget, isHopeless }, hedged)
      : onceStep(hedged);
  return fallbackStep(repeated);
}
