import type { MonotonicClock } from '../../../client/clock.js';
import type { HedgeOptions } from '../policy.js';
import {
  type Attempt,
  type AttemptStep,
  type Ending,
  HedgeLostError,
} from '../resilient-request.js';
import type { RetryBudget } from '../retry-budget.js';

/** What a race goes by. */
export interface HedgeGround {
  readonly clock: MonotonicClock;
  readonly numbers: Required<HedgeOptions>;
  readonly budget: RetryBudget;
}

/** Runs a race between attempts, where one alone is slow; of calls that may be applied twice only. */
export function hedgeStep(ground: HedgeGround, next: AttemptStep): AttemptStep {
  return (attempt, ending) =>
    attempt.request.options.idempotent
      ? new Race(ground, next, ending).enter(attempt)
      : next(attempt, ending);
}

/** One call's race: the first answer wins, and an attempt that fails does so only if it is the last. */
class Race {
  private readonly running = new Set<Attempt>();
  private entered = 0;
  private failure: { readonly error: unknown } | null = null;
  private cancelTimer: () => void = () => undefined;
  private isOver = false;

  constructor(
    private readonly ground: HedgeGround,
    private readonly next: AttemptStep,
    private readonly ending: Ending,
  ) {}

  enter(attempt: Attempt): void {
    this.running.add(attempt);
    this.entered += 1;
    this.awaitNext(attempt);
    this.next(attempt, {
      answered: (value) => {
        this.running.delete(attempt);
        this.end(() => this.ending.answered(value));
      },
      failed: (error) => this.failed(attempt, error),
    });
  }

  private awaitNext({ request }: Attempt): void {
    const { clock, numbers, budget } = this.ground;
    if (this.entered >= numbers.attempts) return;
    this.cancelTimer = clock.setTimer(() => {
      // Each is one more call of a dependency that is slow already.
      if (!budget.take()) return;
      this.enter(request.attempt());
    }, numbers.afterMs);
  }

  private failed(attempt: Attempt, error: unknown): void {
    this.running.delete(attempt);
    const verdict = attempt.request.judge(error);
    // One that was refused here says less than one that was made.
    if (verdict !== 'refused' || this.failure === null) this.failure = { error };
    const isSettled = verdict === 'answer' || verdict === 'given-up' || this.running.size === 0;
    if (isSettled) this.end(() => this.ending.failed(this.failure!.error));
  }

  private end(settle: () => void): void {
    if (this.isOver) return;
    this.isOver = true;
    this.cancelTimer();
    settle();
    for (const { scope } of this.running)
      scope.end(new HedgeLostError('Another attempt was faster.'));
  }
}
