import { pause, type MonotonicClock } from '../../../client/clock.js';
import { reachOfFailure } from '../../../client/call-reach.js';
import { retryDelay } from '../../../client/retry-delay.js';
import type { RetryPolicyOptions } from '../policy.js';
import type { AttemptStep, Ending, RequestStep, ResilientRequest } from '../resilient-request.js';
import type { RetryBudget } from '../retry-budget.js';

/** What retries go by. */
export interface RetryGround {
  readonly clock: MonotonicClock;
  /** From 0 up to, and without, 1. */
  readonly random: () => number;
  readonly numbers: Pick<
    Required<RetryPolicyOptions>,
    'attempts' | 'initialDelayMs' | 'maxDelayMs'
  >;
  readonly budget: RetryBudget;
  /** Whether another attempt would be refused anyway. */
  readonly isHopeless: () => boolean;
}

/** Makes an attempt, and others after it while they fail, may be repeated and the budget allows it. */
export function retryStep(ground: RetryGround, next: AttemptStep): RequestStep {
  return (request, ending) => new RepeatedAttempts(ground, next, request, ending).begin();
}

/** Makes the only attempt. */
export function onceStep(next: AttemptStep): RequestStep {
  return (request, ending) => next(request.attempt(), ending);
}

/** One call's attempts, one after the other. */
class RepeatedAttempts implements Ending {
  private made = 0;
  private failure: { readonly error: unknown } | null = null;

  constructor(
    private readonly ground: RetryGround,
    private readonly next: AttemptStep,
    private readonly request: ResilientRequest,
    private readonly ending: Ending,
  ) {}

  begin(): void {
    this.made += 1;
    this.next(this.request.attempt(), this);
  }

  answered(value: unknown): void {
    if (this.made === 1) this.ground.budget.earn();
    this.ending.answered(value);
  }

  failed(error: unknown): void {
    // One that was refused has burdened nobody, and says less than one that was made.
    if (this.request.judge(error) === 'refused') {
      return this.ending.failed(this.failure ? this.failure.error : error);
    }
    this.failure = { error };
    if (this.made === 1) this.ground.budget.earn();
    if (this.mayRepeat(error)) void this.repeat();
    else this.ending.failed(error);
  }

  /** What it takes is asked for last: the budget counts it as made then. */
  private mayRepeat(error: unknown): boolean {
    const { numbers, budget, isHopeless } = this.ground;
    const isRepeatable = this.made < numbers.attempts && mayBeRepeated(this.request, error);
    return isRepeatable && !isHopeless() && budget.take();
  }

  private async repeat(): Promise<void> {
    const { clock, numbers, random } = this.ground;
    const { wish } = this.request;
    try {
      await pause(clock, retryDelay(this.made, numbers, random), wish?.scope.signal);
      // Nothing may be sent any more under a term or a lock that is lost.
      wish?.assertStands();
    } catch (error) {
      return this.ending.failed(error);
    }
    this.begin();
  }
}

function mayBeRepeated(request: ResilientRequest, error: unknown): boolean {
  if (request.judge(error) !== 'failure') return false;
  return request.options.idempotent || reachOfFailure(error) === 'unreached';
}
