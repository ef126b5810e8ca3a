import { setMaxListeners } from 'node:events';
import { status, type Metadata, type ServiceError } from '@grpc/grpc-js';
import { requiringLeader, type Authenticator } from './authenticator.js';
import { CallDeadline } from './call-deadline.js';
import { callPolicy } from './call-policy.js';
import type { ClientOptions } from './client-options.js';
import { pause, type MonotonicClock } from './clock.js';
import type { Endpoint } from './endpoint.js';
import type { EndpointPool } from './endpoint-pool.js';
import { ClientClosedError, WriteOutcomeUnknownError } from './etcd.errors.js';
import {
  blamesEndpoint,
  grpcFailure,
  isNotApplied,
  isStaleToken,
  isTransient,
  toCoordinationError,
  type GrpcFailure,
} from './grpc-failure.js';
import type { ServiceName } from './grpc-services.js';
import { retryDelay } from './retry-delay.js';
import type { UnaryCall, UnaryDone } from './unary-call.js';

/** Narrows one call down; by default its method decides. */
export interface CallSettings {
  /** Milliseconds for the call in all, retries included. */
  readonly timeoutMs?: number;
  /** Ask this endpoint and no other, once. */
  readonly endpoint?: Endpoint;
  /** The caller has made sure that applying the call twice does no harm. */
  readonly repeatable?: boolean;
  /** How often at most, if not as often as the connection's calls: each may take longer then. */
  readonly maxAttempts?: number;
  /** Fail at once at a member that knows of no leader. */
  readonly requireLeader?: boolean;
}

/** Below this an attempt is not worth its while. */
const SHORTEST_ATTEMPT_MS = 20;
/** How often a call that is refused for its token asks for another one. */
const TOKEN_RENEWALS = 3;

/**
 * Makes single calls: each within the deadline of its class, repeated with back-off at
 * another member if, and only if, that is safe, under a fresh token if the old one
 * expired, and failing with an error of ours.
 */
export class Caller {
  private readonly underway = new Set<UnaryCall>();
  private readonly closing = new AbortController();
  private sent = 0;

  constructor(
    private readonly options: ClientOptions,
    private readonly clock: MonotonicClock,
    private readonly endpoints: EndpointPool,
    private readonly authenticator: Authenticator,
  ) {
    // Many calls may pause at the same time.
    setMaxListeners(0, this.closing.signal);
  }

  /** How many requests were sent so far, repeated ones included. */
  get requestsSent(): number {
    return this.sent;
  }

  async call<T>(
    service: ServiceName,
    method: string,
    request: unknown,
    settings: CallSettings = {},
  ): Promise<T> {
    const policy = callPolicy(service, method, request);
    const repeatable = settings.repeatable ?? policy.repeatable;
    const timeoutMs = settings.timeoutMs ?? this.options.timeouts[policy.timeout];
    const mostAttempts = settings.maxAttempts ?? this.options.retry.maxAttempts;
    const maxAttempts = settings.endpoint ? 1 : mostAttempts;
    const end = this.clock.now() + timeoutMs;
    const tried = new Set<Endpoint>();
    let maybeApplied = false;
    let renewals = 0;

    for (let attempt = 1; ; attempt++) {
      const endpoint = settings.endpoint ?? this.endpoints.pick(tried);
      // A frozen member may take its share of the time, not all of it. A write that must
      // not be repeated has nothing to save its time for.
      const attemptsLeft = repeatable ? maxAttempts - attempt + 1 : 1;
      const since = this.clock.now();
      let metadata: Metadata | undefined;
      let failure: GrpcFailure;
      try {
        metadata = await this.authenticator.authorize(endpoint, (end - since) / attemptsLeft);
        return await this.attempt<T>(
          endpoint,
          service,
          method,
          request,
          settings.requireLeader ? requiringLeader(metadata) : metadata,
          (end - this.clock.now()) / attemptsLeft,
        );
      } catch (error) {
        failure = grpcFailure(error);
        if (this.closing.signal.aborted) {
          const wasSent = metadata !== undefined && !(error instanceof ClientClosedError);
          const mayBeApplied = maybeApplied || (wasSent && !isNotApplied(failure));
          throw this.closed(`${service}.${method}`, failure, !repeatable && mayBeApplied);
        }
        if (!metadata && blamesEndpoint(failure)) endpoint.failed(since);
      }
      if (metadata && isStaleToken(failure) && renewals < TOKEN_RENEWALS) {
        // Refused before it was applied: as good as not sent. A member that lags does not know
        // a new token yet.
        if (renewals > 0) await this.pause(retryDelay(renewals, this.options.retry));
        this.authenticator.invalidate(metadata);
        renewals += 1;
        attempt -= 1;
        continue;
      }
      if (policy.isDone?.(failure)) return {} as T;
      const notApplied = metadata === undefined || isNotApplied(failure);
      maybeApplied ||= !notApplied && isTransient(failure);
      tried.add(endpoint);
      const left = end - this.clock.now();
      const again =
        attempt < maxAttempts &&
        left > SHORTEST_ATTEMPT_MS &&
        isTransient(failure) &&
        (repeatable || notApplied);
      if (!again) {
        throw this.failed(`${service}.${method}`, failure, timeoutMs, !repeatable && maybeApplied);
      }
      if (!this.endpoints.hasHealthyBeside(tried)) {
        await this.pause(Math.min(retryDelay(attempt, this.options.retry), left / 2));
      }
    }
  }

  /**
   * Asks one member for a sign of life, once; rejects if it knows of no leader. An empty
   * transaction is answered by every version to every user, without a quorum, while
   * `Status` is for the administrator alone since etcd 3.5.28.
   */
  async probe(endpoint: Endpoint, timeoutMs: number): Promise<void> {
    await this.call('KV', 'txn', {}, { endpoint, timeoutMs, requireLeader: true });
  }

  /**
   * Ends every call under way; they reject with ClientClosedError, as do later ones. A write that was
   * sent, and that might do harm if it were sent again, rejects with WriteOutcomeUnknownError instead.
   */
  close(): void {
    this.closing.abort();
    for (const call of this.underway) call.cancel();
  }

  private attempt<T>(
    endpoint: Endpoint,
    service: ServiceName,
    method: string,
    request: unknown,
    metadata: Metadata,
    timeoutMs: number,
  ): Promise<T> {
    if (this.closing.signal.aborted) throw new ClientClosedError(this.options.connection);
    this.sent += 1;
    return new Promise<T>((resolve, reject) => {
      const deadline = new CallDeadline(this.clock, timeoutMs);
      const whenEnded = this.settling<T>(endpoint, deadline, resolve, reject);
      const call = endpoint.call(service, method, request, metadata, deadline.forGrpc, whenEnded);
      this.underway.add(call);
      deadline.watch(call);
    });
  }

  /**
   * What a call is to tell its end to. Made here, where it cannot hold the request: see {@link UnaryCall}.
   */
  private settling<T>(
    endpoint: Endpoint,
    deadline: CallDeadline,
    resolve: (response: T) => void,
    reject: (error: ServiceError) => void,
  ): UnaryDone<T> {
    const since = this.clock.now();
    return (failed, response, call) => {
      this.underway.delete(call);
      const error = deadline.over(failed);
      if (!error) {
        endpoint.heard();
        identify(endpoint, response);
        return resolve(response as T);
      }
      if (blamesEndpoint(grpcFailure(error))) endpoint.failed(since);
      else if (error.code !== status.CANCELLED) endpoint.heard();
      reject(error);
    };
  }

  private async pause(ms: number): Promise<void> {
    try {
      await pause(this.clock, ms, this.closing.signal);
    } catch {
      throw new ClientClosedError(this.options.connection);
    }
  }

  private closed(what: string, failure: GrpcFailure, unknown: boolean): Error {
    return unknown
      ? new WriteOutcomeUnknownError(what, 'the connection was closed', failure.error)
      : new ClientClosedError(this.options.connection);
  }

  private failed(what: string, failure: GrpcFailure, timeoutMs: number, unknown: boolean): Error {
    if (unknown) return new WriteOutcomeUnknownError(what, failure.details, failure.error);
    const username = this.options.auth?.username;
    return toCoordinationError(failure, what, { timeoutMs, username });
  }
}

/** Every answer says who gave it; behind one address that may change. */
function identify(endpoint: Endpoint, response: unknown): void {
  const { header } = response as { header?: { member_id?: string; cluster_id?: string } };
  if (!header?.member_id || header.member_id === '0') return;
  endpoint.memberId = header.member_id;
  endpoint.clusterId = header.cluster_id ?? null;
}
