import { status } from '@grpc/grpc-js';
import { EtcdCoordinationError } from '../client/coordination.error.js';

/** Answers of HTTP that say of the server, and not of the request, that it cannot do it now. */
const OVERLOADED: ReadonlySet<number> = new Set([408, 425, 429]);

/** What gRPC answers to a request that will be answered so every time. */
const REFUSED_BY_GRPC: ReadonlySet<number> = new Set([
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.UNIMPLEMENTED,
  status.UNAUTHENTICATED,
]);

/** Refusals of this library's own, by their codes: of a limit, and of a switch that was turned off on purpose. */
const OWN_REFUSALS: ReadonlySet<string> = new Set(['RATE_LIMITED', 'DEGRADED']);

/** What of an error tells what kind it is. */
interface Telling {
  readonly getStatus?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly code?: unknown;
  readonly details?: unknown;
}

/** Whether an error says that the caller has given up: nothing about what was called. */
export function isGivenUp(error: unknown): boolean {
  try {
    return (error as { readonly name?: unknown } | null | undefined)?.name === 'AbortError';
  } catch {
    // Anything can be thrown, and some of it cannot even be looked at.
    return false;
  }
}

/**
 * Whether an error says that the dependency fails, rather than that it has answered: with an HTTP status
 * from 400 to 499 (a Nest `HttpException`, for one), those of overload (408, 425, 429) aside, or with a
 * status of gRPC's that is about the request, such as `NOT_FOUND`; or as `RateLimitedError` and `DegradedError`
 * of this very process, for one customer's many calls are no fault of what they did not reach. Everything else
 * is a failure.
 */
export function isFailureByDefault(error: unknown): boolean {
  try {
    return !isAnswer(error);
  } catch {
    return true;
  }
}

function isAnswer(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  if (error instanceof EtcdCoordinationError && OWN_REFUSALS.has(error.code)) return true;
  const told = error as Telling;
  if (typeof told.code === 'number' && typeof told.details === 'string') {
    return REFUSED_BY_GRPC.has(told.code);
  }
  const http = httpStatusOf(told);
  return http !== null && http >= 400 && http < 500 && !OVERLOADED.has(http);
}

function httpStatusOf(told: Telling): number | null {
  // That of Nest's own exceptions is private.
  const given: unknown = typeof told.getStatus === 'function' ? told.getStatus() : null;
  const numbers = [given, told.statusCode, told.status];
  return numbers.find((each) => typeof each === 'number') ?? null;
}
