import type { Observable } from 'rxjs';
import { systemClock, type MonotonicClock } from '../../client/clock.js';
import { ownerSignals } from '../../context/abort-links.js';
import type { BreakerStatus } from './breaker/circuit-breaker.js';
import { CallersWish } from './callers-wish.js';
import { type CallContext, currentScope } from './current-call.js';
import { LivePolicy, type PolicyNumbers, type PolicyStatus } from './live-policy.js';
import type { PolicyGround } from './policy-chain.js';
import { InvalidResilienceOptionError } from './resilience.errors.js';
import { type Ending, type RequestOptions, ResilientRequest } from './resilient-request.js';

/** What knows the policies: `LiveDocuments` of them. */
export interface Policies {
  readonly names: readonly string[];
  /** @throws {UnknownTrafficNameError} if there is none of that name */
  of(name: string, by?: string): PolicyNumbers;
}

/** How a call is made under a policy. */
export interface ExecuteOptions<T = unknown> {
  /** Ends the call at once; it then throws the signal's reason. */
  readonly signal?: AbortSignal;
  /**
   * Whether the call may be applied twice. Only then is it hedged, and repeated where it may have been
   * applied and only its answer was lost; otherwise it is repeated only if it has certainly reached
   * nobody, as with a connection that is refused. Default false.
   */
  readonly idempotent?: boolean;
  /**
   * Stands in for a call that failed, or was refused by the breaker or the bulkhead. To leave one to the
   * caller, it throws what it was given.
   */
  readonly fallback?: (error: unknown) => T | PromiseLike<T>;
  /**
   * Whether an error is a failure of the dependency: then it counts for the breaker, and the call may be
   * repeated and stood in for. Everything else is its answer, and passed on. By default all is a failure
   * but HTTP 400 to 499 (without 408, 425 and 429), what gRPC says of the request, and an `AbortError`.
   */
  readonly handle?: (error: unknown) => boolean;
}

const PLAIN: RequestOptions = { idempotent: false, fallback: null, handle: null };

/**
 * Keeps calls of dependencies steady, by policies whose numbers are turned in etcd while everything runs.
 * A policy's state, such as that of its breaker, is that of this process and of all who name it: give each
 * dependency its own.
 */
export class Resilience {
  private readonly live = new Map<string, LivePolicy>();
  private readonly ground: PolicyGround;
  private closed = false;

  constructor(
    private readonly policies: Policies,
    {
      clock = systemClock,
      random = Math.random,
    }: { readonly clock?: MonotonicClock; readonly random?: () => number } = {},
  ) {
    this.ground = { clock, random };
  }

  /** Every policy that there is. */
  get names(): readonly string[] {
    return this.policies.names;
  }

  /**
   * Makes a call under a policy. What stands around it, outermost first: fallback, retry, hedge, breaker,
   * timeout, bulkhead.
   *
   * It ends at once, and so does the signal that the function is given, when `signal` aborts, the term or
   * the lock that it is made under is lost, or the call under a policy that it is part of ends.
   *
   * @param work makes one attempt, and settles when that has ended
   * @throws the error of the last attempt that was made, as it is
   * @throws {BreakerOpenError} if the breaker is open; at once, and nothing was called
   * @throws {BulkheadFullError} if too many calls run and wait; at once, and nothing was called
   * @throws {ResilienceTimeoutError} if that took longer than `timeoutMs`
   * @throws {FallbackFailedError} if what stands in has failed as well
   * @throws {UnknownTrafficNameError} if there is no policy of that name; lists those that there are
   * @throws the reason of the signal, or of that of the term or lock that was lost, when it aborts
   */
  execute<T>(
    policy: string,
    work: (call: CallContext) => T | PromiseLike<T>,
    options?: ExecuteOptions<T>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const given = readOptions(policy, work, options);
      const ending = { answered: resolve as (value: unknown) => void, failed: reject };
      this.begin(policy, work, given, options?.signal, ending);
    });
  }

  /** {@link execute}, for options that are known to be right. */
  run(
    policy: string,
    work: (call: CallContext) => unknown,
    options: RequestOptions,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.begin(policy, work, options, undefined, { answered: resolve, failed: reject });
    });
  }

  /**
   * Follows a policy from here on, rather than from its first call.
   *
   * @param by who asks for it, for the error
   * @throws {UnknownTrafficNameError} if there is none of that name; lists those that there are
   */
  follow(policy: string, by?: string): void {
    this.of(policy, by);
  }

  /** How the breaker of a policy stands in this process; closed, if it has none. */
  breaker(policy: string): BreakerStatus {
    return this.of(policy).breakerStatus;
  }

  /** How the breaker of a policy stands, and each time that changes. Completes with the connection. */
  breaker$(policy: string): Observable<BreakerStatus> {
    return this.of(policy).breaker$;
  }

  /** How a policy stands in this process. */
  status(policy: string): PolicyStatus {
    return this.of(policy).status;
  }

  /** Has the breaker of a policy refuse all calls of this process until it is released. False if it has none. */
  isolate(policy: string): boolean {
    return this.of(policy).isolate();
  }

  /** Ends {@link isolate}. */
  release(policy: string): boolean {
    return this.of(policy).release();
  }

  /**
   * Completes what is observed. Calls go on by the numbers that stand: those of a policy that was not used
   * before by the declared ones, as there is no connection any more that could tell of others.
   */
  close(): void {
    this.closed = true;
    for (const policy of this.live.values()) policy.close();
  }

  /** Throws what keeps a call from beginning. */
  private begin(
    policy: string,
    work: (call: CallContext) => unknown,
    options: RequestOptions,
    signal: AbortSignal | undefined,
    ending: Ending,
  ): void {
    const live = this.of(policy);
    const wish = wishOf(signal);
    wish?.assertStands();
    const request = new ResilientRequest(policy, work, wish, options);
    live.execute(request, wish ? closing(wish, ending) : ending);
  }

  private of(policy: string, by?: string): LivePolicy {
    let live = this.live.get(policy);
    if (!live) {
      live = new LivePolicy(this.policies.of(policy, by), this.ground);
      this.live.set(policy, live);
      if (this.closed) live.close();
    }
    return live;
  }
}

/** Lets the caller's wish go as the call ends. */
function closing(wish: CallersWish, ending: Ending): Ending {
  return {
    answered(value) {
      wish.close();
      ending.answered(value);
    },
    failed(error) {
      wish.close();
      ending.failed(error);
    },
  };
}

/** What can end a call; null if nothing can. */
function wishOf(signal: AbortSignal | undefined): CallersWish | null {
  const owners = ownerSignals();
  const around = currentScope();
  if (!signal && owners.length === 0 && !around) return null;
  return new CallersWish(signal ? [signal, ...owners] : owners, around);
}

function readOptions<T>(
  policy: string,
  work: unknown,
  options: ExecuteOptions<T> | undefined,
): RequestOptions {
  const wrong = (option: string, fault: string) =>
    new InvalidResilienceOptionError(policy, option, fault);
  if (typeof work !== 'function') throw wrong('work', 'is no function');
  if (options === undefined) return PLAIN;
  const { signal, idempotent = false, fallback, handle } = options;
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal)) {
    throw wrong('signal', 'is no AbortSignal');
  }
  if (typeof idempotent !== 'boolean') throw wrong('idempotent', 'is neither true nor false');
  if (fallback !== undefined && typeof fallback !== 'function') {
    throw wrong('fallback', 'is no function');
  }
  if (handle !== undefined && typeof handle !== 'function') {
    throw wrong('handle', 'is no function of the error');
  }
  const named = fallback && { name: fallback.name || 'function', run: fallback };
  return { idempotent, fallback: named ?? null, handle: handle ?? null };
}
