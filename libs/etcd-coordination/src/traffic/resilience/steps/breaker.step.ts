import type { BreakerPass, CircuitBreaker } from '../breaker/circuit-breaker.js';
import type { Attempt, AttemptStep, Ending } from '../resilient-request.js';

/** Makes an attempt if the breaker lets it in, and tells it how that ended. */
export function breakerStep(breaker: CircuitBreaker, next: AttemptStep): AttemptStep {
  return (attempt, ending) => {
    let pass: BreakerPass;
    try {
      pass = breaker.enter();
    } catch (error) {
      return ending.failed(error);
    }
    next(attempt, new GuardedAttempt(breaker, pass, attempt, ending));
  };
}

class GuardedAttempt implements Ending {
  constructor(
    private readonly breaker: CircuitBreaker,
    private readonly pass: BreakerPass,
    private readonly attempt: Attempt,
    private readonly ending: Ending,
  ) {}

  answered(value: unknown): void {
    this.breaker.succeeded(this.pass);
    this.ending.answered(value);
  }

  failed(error: unknown): void {
    this.tell(error);
    this.ending.failed(error);
  }

  private tell(error: unknown): void {
    const { breaker, pass, attempt } = this;
    switch (attempt.request.judge(error)) {
      case 'failure':
        return breaker.failed(pass, error);
      case 'answer':
        return breaker.succeeded(pass);
      case 'refused':
      case 'given-up':
        return breaker.abandoned(pass);
    }
  }
}
