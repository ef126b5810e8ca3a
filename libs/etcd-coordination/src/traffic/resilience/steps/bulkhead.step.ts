import type { Bulkhead } from '../bulkhead.js';
import type { AttemptStep, Ending } from '../resilient-request.js';

/** Makes an attempt once there is a place for it. */
export function bulkheadStep(bulkhead: Bulkhead, next: AttemptStep): AttemptStep {
  return (attempt, ending) => {
    const { scope } = attempt;
    const placed: Ending = {
      answered(value) {
        bulkhead.leave(scope);
        ending.answered(value);
      },
      failed(error) {
        bulkhead.leave(scope);
        ending.failed(error);
      },
    };
    if (bulkhead.tryEnter(scope)) return next(attempt, placed);
    bulkhead.wait(scope).then(
      () => next(attempt, placed),
      (error: unknown) => ending.failed(error),
    );
  };
}
