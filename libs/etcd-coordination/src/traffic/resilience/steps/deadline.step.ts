import type { MonotonicClock } from '../../../client/clock.js';
import { ResilienceTimeoutError } from '../resilience.errors.js';
import type { Attempt, AttemptStep, Ending } from '../resilient-request.js';

/** What deadlines go by. */
export interface DeadlineGround {
  readonly policy: string;
  readonly clock: MonotonicClock;
  readonly timeoutMs: number | null;
}

/**
 * Ends an attempt when its time is up, its caller gives up or another one was faster, whatever the
 * function does then: what comes of it is not heard.
 *
 * Cockatiel's timeout makes a signal for every call, which took 26 to 36 µs beside the 1 µs of a timer.
 */
export function deadlineStep(ground: DeadlineGround, next: AttemptStep): AttemptStep {
  return (attempt, ending) => {
    const timed = new TimedAttempt(ground, attempt, ending);
    next(attempt, timed);
  };
}

/** Tells of the first of: the attempt has ended, and nobody waits for it any more. */
class TimedAttempt implements Ending {
  private isOver = false;
  private readonly cancelTimer: (() => void) | undefined;
  private readonly cutWish: (() => void) | undefined;

  constructor(
    { policy, clock, timeoutMs }: DeadlineGround,
    attempt: Attempt,
    private readonly ending: Ending,
  ) {
    const { scope, request } = attempt;
    scope.onEnd((reason) => this.failed(reason));
    this.cutWish = request.wish?.scope.onEnd((reason) => scope.end(reason));
    if (timeoutMs === null) return;
    this.cancelTimer = clock.setTimer(
      () => scope.end(new ResilienceTimeoutError(policy, timeoutMs, attempt.begun)),
      timeoutMs,
    );
  }

  answered(value: unknown): void {
    if (this.end()) this.ending.answered(value);
  }

  failed(error: unknown): void {
    if (this.end()) this.ending.failed(error);
  }

  /** Whether it was the first to. */
  private end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.cancelTimer?.();
    this.cutWish?.();
    return true;
  }
}
