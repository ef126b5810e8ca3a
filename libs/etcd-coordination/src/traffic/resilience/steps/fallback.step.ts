import { FallbackFailedError } from '../resilience.errors.js';
import type { Fallback, RequestStep, ResilientRequest } from '../resilient-request.js';

/** Has something stand in for a call that failed, or was refused; an answer is passed on as it is. */
export function fallbackStep(next: RequestStep): RequestStep {
  return (request, ending) => {
    const { fallback } = request.options;
    if (!fallback) return next(request, ending);
    next(request, {
      answered: (value) => ending.answered(value),
      failed: (error) => {
        const verdict = request.judge(error);
        if (verdict !== 'failure' && verdict !== 'refused') return ending.failed(error);
        standIn(request, fallback, error).then(
          (value) => ending.answered(value),
          (fault: unknown) => ending.failed(fault),
        );
      },
    });
  };
}

async function standIn(
  request: ResilientRequest,
  fallback: Fallback,
  error: unknown,
): Promise<unknown> {
  try {
    return await untilGivenUp(request, async () => fallback.run(error));
  } catch (fault) {
    // It may leave some to the caller, by throwing what it was given.
    if (fault === error || request.wish?.scope.isOver) throw fault;
    throw new FallbackFailedError(request.policy, fallback.name, error, fault);
  }
}

/** What stands in may hang as well. */
function untilGivenUp({ wish }: ResilientRequest, work: () => Promise<unknown>): Promise<unknown> {
  if (!wish) return work();
  return new Promise((resolve, reject) => {
    const cut = wish.scope.onEnd(reject);
    void work().then(resolve, reject).finally(cut);
  });
}
