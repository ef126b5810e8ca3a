import type { ServicePool } from '../service-pool.js';
import { InvalidDiscoveryOptionError } from '../discovery.errors.js';
import { abortWhileHeld, onAbort, ownerSignals } from '../../context/abort-links.js';
import type { CallAttempt, CallOptions } from './call-options.js';
import { type CallGround, callService } from './call-service.js';
import { isOfInstance } from './fetch-rejection.js';
import { refuseSlips } from './option-slips.js';
import { CALL_OPTION_NAMES } from './read-call-options.js';
import { ServiceRequest } from './service-request.js';
import { SpeakingPool } from './speaking-pool.js';
import type { ServiceInstance } from '../../registry/service-instance.js';

/** What `fetch` takes, and how the service is called. */
export type ServiceFetchInit = Omit<RequestInit, 'signal'> &
  Omit<CallOptions, 'signal'> & {
    /** Ends the call, and the reading of its answer. */
    readonly signal?: AbortSignal | null;
  };

/** A `fetch` that finds its instance by the name of a service. */
export type ServiceFetch = (
  input: string | URL | Request,
  init?: ServiceFetchInit,
) => Promise<Response>;

/** Where pools are had: `ServiceDiscovery` is one. */
export interface PoolSource {
  pool(service: string): ServicePool;
}

/** How addresses are fetched, and by what time is told. */
export interface FetchGround extends CallGround {
  /** Default the global one, as it is when a call is made. */
  readonly fetch?: (request: Request) => Promise<Response>;
}

/** Answers of one that cannot do its work, or of what stands before it. */
const FAILED_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** What `fetch` can speak. */
const HTTP = ['http', 'https'] as const;

/**
 * A `fetch` for `service://inventory/path?query`: it picks an instance that speaks HTTP, and another one
 * where that fails, as `callService` does. `timeoutMs` is the time until the head of the answer is there:
 * with that the call ends, and a body that is still being sent counts as nothing in flight.
 *
 * - GET, HEAD, OPTIONS, PUT and DELETE are idempotent, and so is what has an `Idempotency-Key`, unless
 *   `idempotent` says otherwise
 * - a body that is a stream is sent once only; give a string, a Buffer or a Blob, and it can be repeated
 * - redirects are followed of what is idempotent only; any other request gets the redirect itself as its
 *   answer, unless `redirect` says otherwise: then what fails at the new place may be made twice
 * - whatever `fetch` itself rejects with counts as a failure of the instance, but for faults of the request,
 *   redirects that were not to be followed, and the caller's own end of it
 * - the answers 502, 503 and 504 count as failures of the instance; if the last attempt ends with one, it is
 *   returned
 * - the fences of what the caller owns go along, as by `fenceHeaders()`
 *
 * @throws {InvalidServiceUrlError} for anything but the address of a service
 * @throws {InvalidDiscoveryOptionError} for an option that looks like a slip of one, such as `timeout`
 * @throws as `callService` does
 */
export function serviceFetch(pools: PoolSource, ground: FetchGround = {}): ServiceFetch {
  const speaking = new WeakMap<ServicePool, SpeakingPool>();
  return async (input, init = {}) => {
    const { request, options } = readInit(input, init);
    const pool = pools.pool(request.url.service);
    let spoken = speaking.get(pool);
    if (!spoken) speaking.set(pool, (spoken = new SpeakingPool(pool, HTTP)));
    const fetching = new Fetching(request, ground.fetch ?? ((made) => fetch(made)));
    return fetching.settle(
      callService(
        spoken,
        (instance, call) => fetching.fetch(instance, call),
        {
          ...options,
          isFailure: (error) =>
            error instanceof FailedAnswer ||
            fetching.hasFailedBy(error) ||
            (options.isFailure?.(error) ?? false),
        },
        ground,
      ),
    );
  };
}

/** An answer that is to be had elsewhere, if it can. */
class FailedAnswer extends Error {
  constructor(readonly response: Response) {
    super(`HTTP ${response.status}`);
  }
}

/** One call of `fetch`, through all its attempts. */
class Fetching {
  /** What ends the reading of an answer as well. */
  private readonly lasting: readonly AbortSignal[];
  /** The last answer that was not good. */
  private held: Response | null = null;
  /** What attempts were rejected with, where that may be the instance's fault. */
  private readonly rejections = new Set<unknown>();

  constructor(
    private readonly request: ServiceRequest,
    private readonly fetcher: (request: Request) => Promise<Response>,
  ) {
    const { signal } = request;
    this.lasting = signal ? [signal, ...ownerSignals()] : ownerSignals();
  }

  /** Throws at once what keeps the request from being made. */
  fetch({ address }: ServiceInstance, { signal }: CallAttempt): Promise<Response> {
    const controller = new AbortController();
    const cut = onAbort(signal, () => controller.abort(signal.reason as unknown));
    const request = this.request.to(address, controller.signal);
    return this.answer(this.fetcher(request), controller, cut, signal);
  }

  /** Whether an attempt was rejected with that, and not by the request's own fault. */
  hasFailedBy(error: unknown): boolean {
    return this.rejections.has(error);
  }

  /** Gives the last answer in place of the error that stands for it; an answer that is not given on is let go. */
  async settle(call: Promise<Response>): Promise<Response> {
    try {
      const response = await call;
      this.hold(null);
      return response;
    } catch (error) {
      if (error instanceof FailedAnswer) return error.response;
      this.hold(null);
      throw error;
    }
  }

  private async answer(
    asked: Promise<Response>,
    controller: AbortController,
    cut: () => void,
    signal: AbortSignal,
  ): Promise<Response> {
    const response = await asked.catch((error: unknown) => {
      // A body that is a stream may have failed by itself, and `fetch` does not tell.
      if (!this.request.isOnce && isOfInstance(error)) this.rejections.add(error);
      throw error;
    });
    if (signal.aborted) {
      // Nobody waits for it any more.
      letGo(response);
      throw signal.reason;
    }
    cut();
    abortWhileHeld(response.body ?? response, controller, this.lasting);
    if (!FAILED_STATUSES.has(response.status)) return response;
    this.hold(response);
    throw new FailedAnswer(response);
  }

  private hold(response: Response | null): void {
    if (this.held) letGo(this.held);
    this.held = response;
  }
}

/** Frees the connection that an unread body would keep. */
function letGo(response: Response): void {
  // One that is being read, or was ended, is not ours to end.
  response.body?.cancel().catch(() => undefined);
}

/** Parts what is said of the request from what is said of the call. */
function readInit(
  input: string | URL | Request,
  init: ServiceFetchInit,
): { request: ServiceRequest; options: CallOptions } {
  if (typeof init !== 'object' || init === null) {
    throw new InvalidDiscoveryOptionError(
      'init',
      'What "fetch" is given second must be an object.',
    );
  }
  const entries = Object.entries(init);
  const ofCall = entries.filter(([name]) => CALL_OPTION_NAMES.includes(name) && name !== 'signal');
  const ofRequest = entries.filter(([name]) => !CALL_OPTION_NAMES.includes(name));
  refuseSlips(ofRequest.map(([name]) => name));
  const given: CallOptions = Object.fromEntries(ofCall);
  const request = new ServiceRequest(
    input,
    { ...Object.fromEntries(ofRequest), signal: init.signal },
    given.idempotent,
  );
  const { signal } = request;
  return {
    request,
    options: {
      ...given,
      idempotent: request.isIdempotent,
      ...(signal ? { signal } : {}),
      ...(request.isOnce ? { attempts: 1 } : {}),
    },
  };
}
