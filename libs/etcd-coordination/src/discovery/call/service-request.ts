import { FENCE_HEADER } from '../../fencing/fence-codec.js';
import { fenceHeaders } from '../../fencing/fence-headers.js';
import { type ServiceUrl, readServiceUrl } from './service-url.js';

/** Methods that do the same when they are done twice. */
const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
]);

const IDEMPOTENCY_KEY = 'idempotency-key';

/** What `fetch` was asked, by which each instance can be asked the same. */
export class ServiceRequest {
  readonly url: ServiceUrl;
  private readonly headers: Headers;
  private readonly method: string;
  private readonly request: Request | null;

  /**
   * @param idempotent what its caller says of it, in place of what HTTP does
   * @throws {InvalidServiceUrlError} for what is no address of a service
   * @throws {TypeError} for headers that cannot be, as `fetch` does
   */
  constructor(
    input: string | URL | Request,
    private readonly init: RequestInit,
    private readonly idempotent?: boolean,
  ) {
    this.request = input instanceof Request ? input : null;
    this.url = readServiceUrl(this.request ? this.request.url : (input as string | URL));
    this.method = (init.method ?? this.request?.method ?? 'GET').toUpperCase();
    this.headers = new Headers(init.headers ?? this.request?.headers);
  }

  /** Whether it may be made twice. */
  get isIdempotent(): boolean {
    if (this.idempotent !== undefined) return this.idempotent;
    return IDEMPOTENT_METHODS.has(this.method) || this.headers.has(IDEMPOTENCY_KEY);
  }

  /** Whether its body is there only once. */
  get isOnce(): boolean {
    const { body } = this.init;
    if (body === undefined || body === null) return (this.request?.body ?? null) !== null;
    if (body instanceof ReadableStream) return true;
    return typeof body === 'object' && Symbol.asyncIterator in body;
  }

  /**
   * What is done with a redirect, where that is not said by hand. What may be made once only has been done
   * when it is answered with one: if the new place then refused, it would look as if it had never arrived.
   */
  private get redirect(): NonNullable<RequestInit['redirect']> | null {
    if (this.init.redirect !== undefined || this.isIdempotent) return null;
    return this.request?.redirect === 'error' ? null : 'manual';
  }

  /** What the caller ends it by. */
  get signal(): AbortSignal | null {
    // Given as null, it takes the request's away.
    if (this.init.signal !== undefined) return this.init.signal;
    return this.request?.signal ?? null;
  }

  /**
   * The same, made to the instance at this address, with what the running call chain owns.
   *
   * @throws {StaleFenceError} if that is lost: nothing may be done any more that would need it
   */
  to(address: string, signal: AbortSignal): Request {
    const headers = new Headers(this.headers);
    for (const [name, value] of Object.entries(fenceHeaders())) {
      // What the caller has set by hand says more.
      if (!headers.has(FENCE_HEADER)) headers.set(name, value);
    }
    // Not resolved against the address: a path that begins with two slashes would name another host.
    const url = `${address}${this.url.target}`;
    const { redirect } = this;
    const once = this.isOnce ? { duplex: 'half' } : {};
    const init = { ...this.init, headers, signal, ...(redirect ? { redirect } : {}), ...once };
    return new Request(this.request ? new Request(url, this.request) : url, init as RequestInit);
  }
}
