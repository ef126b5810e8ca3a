import { catchError, isObservable, throwError } from 'rxjs';
import { DegradedError, DegradedFallbackError } from './switch.errors.js';
import type { SwitchStatus } from './switch-status.js';

/** What runs in place of a call that is cut. */
export interface StandIn<T> {
  /** For the error if it fails, such as `Orders.noRecommendations()`. */
  readonly name: string;
  run(): T;
}

/**
 * What a call comes to that is cut.
 *
 * @param standIn what runs in its place, if anything does
 * @param told the error as the caller is to get it
 * @throws {DegradedError} if nothing does
 * @throws {DegradedFallbackError} if that fails; a promise rejects with it, an Observable errors
 */
export function standInFor<T>(
  status: SwitchStatus,
  standIn: StandIn<T> | null,
  told: (error: DegradedError | DegradedFallbackError) => Error = (error) => error,
): T {
  if (!standIn) throw told(new DegradedError(status));
  const failed = (cause: unknown) =>
    told(new DegradedFallbackError(status.name, standIn.name, cause));
  let result: T;
  try {
    result = standIn.run();
  } catch (error) {
    throw failed(error);
  }
  if (result instanceof Promise) {
    return result.catch((error: unknown) => Promise.reject(failed(error))) as T;
  }
  if (isObservable(result)) {
    return result.pipe(catchError((error: unknown) => throwError(() => failed(error)))) as T;
  }
  return result;
}
