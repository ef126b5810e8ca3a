import { RunningCall, runAsCurrent } from '../current-call.js';
import type { Attempt, Ending } from '../resilient-request.js';

/** The innermost: calls the function, unless nobody waits for it any more. */
export function callStep(attempt: Attempt, ending: Ending): void {
  const { scope, request, number } = attempt;
  if (scope.isOver) return ending.failed(scope.reason);
  attempt.begun = true;
  let given: unknown;
  try {
    given = runAsCurrent(new RunningCall(scope, number), request.work);
  } catch (error) {
    return ending.failed(error);
  }
  Promise.resolve(given).then(
    (value) => ending.answered(value),
    (error: unknown) => ending.failed(error),
  );
}
