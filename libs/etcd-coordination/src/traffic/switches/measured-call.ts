import { isObservable, Observable } from 'rxjs';
import type { MonotonicClock } from '../../client/clock.js';
import { isFailureByDefault, isGivenUp } from '../failure-verdict.js';
import type { CallWindow } from './call-window.js';

/**
 * Runs a call and counts how it ends and how long it takes: a promise when it settles, an Observable
 * for each subscription, from there to its first value. What else can be waited for is not touched,
 * for a query may run each time that somebody does, and says nothing.
 */
export function measuredCall<T>(window: CallWindow, clock: MonotonicClock, work: () => T): T {
  const since = window.began();
  const start = clock.now();
  let result: T;
  try {
    result = work();
  } catch (error) {
    window.ended(since, clock.now() - start, isFailure(error));
    throw error;
  }
  if (result instanceof Promise) {
    // What it gives is another promise, as a rejection that nobody handles is to stay one.
    return result.then(
      (value: unknown) => {
        window.ended(since, clock.now() - start, false);
        return value;
      },
      (error: unknown) => {
        window.ended(since, clock.now() - start, isFailure(error));
        throw error;
      },
    ) as T;
  }
  if (isObservable(result)) {
    window.left(since);
    return measuredObservable(window, clock, result) as T;
  }
  if (isAwaited(result)) window.left(since);
  else window.ended(since, clock.now() - start, false);
  return result;
}

/** Whether something else than a promise tells later how the call went: a query, or an async iterable. */
function isAwaited(result: unknown): boolean {
  if (typeof result !== 'object' || result === null) return false;
  try {
    return (
      typeof (result as { then?: unknown }).then === 'function' || Symbol.asyncIterator in result
    );
  } catch {
    return false;
  }
}

function measuredObservable<T>(
  window: CallWindow,
  clock: MonotonicClock,
  source: Observable<T>,
): Observable<T> {
  return new Observable((subscriber) => {
    const since = window.began();
    const start = clock.now();
    let counted = false;
    const count = (failed: boolean) => {
      if (counted) return;
      counted = true;
      window.ended(since, clock.now() - start, failed);
    };
    const subscription = source.subscribe({
      next: (value) => {
        count(false);
        subscriber.next(value);
      },
      error: (error: unknown) => {
        count(isFailure(error));
        subscriber.error(error);
      },
      complete: () => {
        count(false);
        subscriber.complete();
      },
    });
    return () => {
      subscription.unsubscribe();
      if (counted) return;
      counted = true;
      window.left(since);
    };
  });
}

/** Whether an error counts against the rule. */
function isFailure(error: unknown): boolean {
  return !isGivenUp(error) && isFailureByDefault(error);
}
