import type { ServiceInstance } from '../../registry/service-instance.js';
import type { ChooseOptions } from '../service-pool.js';

/** How a service is called. */
export interface CallOptions extends ChooseOptions {
  /** How often it is tried in all, the first attempt included: 1 to 10. Default 3. */
  readonly attempts?: number;
  /** How long each attempt may take, in milliseconds. Default without end. */
  readonly timeoutMs?: number;
  /** How long to wait for the first list of instances, in milliseconds. Default 3000. */
  readonly readyTimeoutMs?: number;
  /**
   * Ends the call at once; it then throws the signal's reason. If that is a `TimeoutError`, as of
   * `AbortSignal.timeout`, the instance was silent for too long, which counts as its failure: but `timeoutMs` can
   * have the call made elsewhere as well.
   */
  readonly signal?: AbortSignal;
  /**
   * Whether the call may be applied twice. Only then is it repeated where an instance may have done
   * what it was asked, and only its answer was lost. Default false.
   */
  readonly idempotent?: boolean;
  /**
   * Whether an error that says nothing of the instance by itself, such as its own answer, is its fault:
   * then it counts towards its ejection, and an idempotent call is repeated elsewhere.
   */
  readonly isFailure?: (error: unknown) => boolean;
}

/** What the function that makes a call is given beside the instance. */
export interface CallAttempt {
  /**
   * Aborts when the caller gives up, when the attempt has taken too long, and when the term or the lock
   * that the call is made under is lost. To be passed on to whatever makes the call.
   */
  readonly signal: AbortSignal;
  /** 1 for the first one. */
  readonly attempt: number;
}

/**
 * Calls an instance, with one request: it is judged by its error whether that has reached the instance.
 * The promise it returns settles when the answer is there.
 */
export type ServiceCall<T> = (instance: ServiceInstance, call: CallAttempt) => T | PromiseLike<T>;

export const MAX_ATTEMPTS = 10;
export const DEFAULT_ATTEMPTS = 3;
/** That of a read, as lists are. */
export const DEFAULT_READY_TIMEOUT_MS = 3000;
