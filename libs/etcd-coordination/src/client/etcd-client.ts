import type { ClientDuplexStream, Metadata } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import {
  EtcdLeaseInvalidError,
  type Etcd3,
  type ILeaseGrantResponse,
  type ILeaseTimeToLiveResponse,
  type IRangeRequest,
  type IRangeResponse,
  type ITxnRequest,
  type ITxnResponse,
} from 'etcd3';
import { Authenticator, requiringLeader } from './authenticator.js';
import { Caller, type CallSettings } from './caller.js';
import type { ClientOptions } from './client-options.js';
import { systemClock, type MonotonicClock } from './clock.js';
import { DuplexStream, type StreamHandlers } from './duplex-stream.js';
import { Endpoint } from './endpoint.js';
import { InvalidEndpointError, parseEndpoint } from './endpoint-address.js';
import { EndpointPool } from './endpoint-pool.js';
import { EndpointSync } from './endpoint-sync.js';
import { EtcdConnectError } from './etcd-connect.error.js';
import { ClientClosedError, EtcdUnavailableError } from './etcd.errors.js';
import { FirstContact } from './first-contact.js';
import { blamesEndpoint, grpcFailure } from './grpc-failure.js';
import type { ServiceName } from './grpc-services.js';
import { SharedEtcd3, type ServiceConnection } from './shared-etcd3.js';

/** How a connection is made. */
export interface ConnectSettings {
  /**
   * Whether to go on without etcd when no endpoint can be reached: asked once, with the error that
   * the start would fail with; or another error, thrown in its place. Left out, it fails.
   */
  readonly startWithout?: (error: EtcdConnectError) => boolean | Promise<boolean>;
  /** By which everything on the connection tells the time. Default the machine's monotonic clock. */
  readonly clock?: MonotonicClock;
}

/** The standing streams of etcd. */
type StreamMethod =
  { service: 'Watch'; method: 'watch' } | { service: 'Lease'; method: 'leaseKeepAlive' };

/**
 * One connection to an etcd cluster, shared by everything in the process that uses its
 * name: one TCP connection for each endpoint, for calls, leases and watches together.
 */
export class EtcdClient {
  /** The raw etcd3 client over this connection. Its keys are not namespaced. */
  readonly etcd: Etcd3;
  private readonly logger = new Logger(EtcdClient.name);
  private readonly authenticator: Authenticator;
  private readonly pool: EndpointPool;
  private readonly caller: Caller;
  private readonly contact: FirstContact;
  private readonly sync: EndpointSync;
  private readonly streams = new Set<DuplexStream<never, never>>();
  private readonly rawStreams = new Map<RawStream, Endpoint>();
  private connected: Promise<void> = Promise.resolve();
  private closed = false;

  private constructor(
    readonly options: ClientOptions,
    /** By which everything on this connection tells the time. */
    readonly clock: MonotonicClock,
  ) {
    this.authenticator = new Authenticator(options.auth, clock);
    this.pool = new EndpointPool(
      options.endpoints.map((e) => new Endpoint(parseEndpoint(e), clock, options.credentials)),
      clock,
    );
    this.caller = new Caller(options, clock, this.pool, this.authenticator);
    this.contact = new FirstContact(options, clock, this.pool, this.caller, this.authenticator);
    this.sync = new EndpointSync(options, clock, this.pool, this.caller, (left) =>
      this.leave(left),
    );
    this.sync.seeds = this.pool.all.map(({ address }) => address);
    this.etcd = new SharedEtcd3(
      {
        exec: (service, method, request, callOptions) =>
          this.call(service, method, request, rawSettings(callOptions?.deadline)),
        withConnection: (service, use) => this.withConnection(service, use),
        markFailed: () => undefined,
        callOptionsFactory: undefined,
      },
      [...options.endpoints],
    );
  }

  /**
   * Connects, and resolves when the first endpoint has answered. Those that cannot be
   * used beside it are logged, each with its reason.
   *
   * If `startWithout` agrees to it, it also resolves when none can be reached: then every call
   * fails at once with EtcdUnavailableError until the connection is made, which is tried for as
   * long as it takes. See {@link isAwaited} and {@link whenConnected}.
   *
   * @throws EtcdConnectError if none can be used, naming every endpoint and why
   * @throws TwoClustersError if two endpoints belong to different clusters
   * @throws InvalidEndpointError if an endpoint is malformed
   */
  static async connect(
    options: ClientOptions,
    { startWithout, clock = systemClock }: ConnectSettings = {},
  ): Promise<EtcdClient> {
    const client = new EtcdClient(options, clock);
    try {
      await client.contact.make();
      client.sync.start();
    } catch (error) {
      if (startWithout && error instanceof EtcdConnectError && error.isOutage) {
        if (await client.orClose(() => startWithout(error))) {
          client.awaitEtcd(error);
          return client;
        }
      }
      await client.close();
      throw error;
    }
    return client;
  }

  /** How many requests this connection has sent, streams aside. For tests and metrics. */
  get requestsSent(): number {
    return this.caller.requestsSent;
  }

  /** The endpoints in use now, as `http://host:port`. */
  get endpoints(): readonly string[] {
    return this.pool.all.map((e) => e.address.url);
  }

  /** Whether etcd has not been reached since the start: no call goes out yet. */
  get isAwaited(): boolean {
    return this.contact.awaited !== null;
  }

  /**
   * Resolves when there has been a connection, at once unless the client started without.
   *
   * @throws ClientClosedError when it is closed before
   */
  whenConnected(): Promise<void> {
    return this.connected;
  }

  /** Whether {@link close} was called. */
  get isClosed(): boolean {
    return this.closed;
  }

  /** Reads keys, linearizably unless asked otherwise. Rejects with an EtcdCoordinationError. */
  range(request: IRangeRequest, settings?: CallSettings): Promise<IRangeResponse> {
    return this.call('KV', 'range', request, settings);
  }

  /**
   * Runs a transaction. One that writes is repeated only if `settings.repeatable` says that
   * this does no harm, as for one whose comparison fails once it was applied.
   *
   * @throws WriteOutcomeUnknownError if it was not repeated and its answer was lost
   */
  txn(request: ITxnRequest, settings?: CallSettings): Promise<ITxnResponse> {
    return this.call('KV', 'txn', request, settings);
  }

  /** Asks for a lease under an id of the caller's choice, so that asking twice takes one. */
  leaseGrant(id: string, ttlSeconds: number): Promise<ILeaseGrantResponse> {
    const request = { ID: id, TTL: ttlSeconds };
    return this.call('Lease', 'leaseGrant', request, { repeatable: true });
  }

  /** Resolves too if there is no such lease (any more). */
  leaseRevoke(id: string, settings?: CallSettings): Promise<void> {
    return this.call('Lease', 'leaseRevoke', { ID: id }, settings);
  }

  /** What is left of a lease, and if asked for the keys on it. Rejects with an EtcdCoordinationError. */
  leaseTimeToLive(
    id: string,
    settings?: CallSettings,
    keys = false,
  ): Promise<ILeaseTimeToLiveResponse> {
    return this.call('Lease', 'leaseTimeToLive', { ID: id, keys }, settings);
  }

  /** Whether that endpoint answers within `timeoutMs`, and has a leader. */
  async isAnswering(endpoint: Endpoint, timeoutMs: number): Promise<boolean> {
    try {
      await this.caller.probe(endpoint, timeoutMs);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Opens a standing stream to a healthy endpoint, outside of `avoid` if there is one.
   * The stream ends with an error when its member loses the cluster's leader.
   */
  async openStream<Request, Response>(
    { service, method }: StreamMethod,
    handlers: StreamHandlers<Response>,
    avoid?: ReadonlySet<Endpoint>,
  ): Promise<DuplexStream<Request, Response>> {
    this.assertConnected(`${service}.${method}`);
    const endpoint = this.pool.pick(avoid);
    const since = this.clock.now();
    let metadata: Metadata;
    try {
      metadata = await this.authenticator.authorize(endpoint, this.options.timeouts.heartbeat);
    } catch (error) {
      if (blamesEndpoint(grpcFailure(error))) endpoint.failed(since);
      throw error;
    }
    this.assertOpen();
    const open = (endpoint.service(service) as unknown as Record<string, OpenStream>)[method]!;
    const raw = open.call(
      endpoint.service(service),
      requiringLeader(metadata),
    ) as ClientDuplexStream<Request, Response>;
    const stream = new DuplexStream<Request, Response>(raw, endpoint, this.clock, handlers, () =>
      this.streams.delete(tracked),
    );
    const tracked = stream as unknown as DuplexStream<never, never>;
    this.streams.add(tracked);
    return stream;
  }

  /**
   * Changes the endpoints while running: those that stay keep their connection, streams
   * on those that go move to the others. Members that the cluster names come back with
   * the next look at its member list, unless `endpointSyncInterval` is 0.
   *
   * @throws InvalidEndpointError if one is malformed, ClientClosedError after the end; nothing
   *   is changed then
   */
  setEndpoints(endpoints: readonly string[]): void {
    this.assertOpen();
    const addresses = endpoints.map(parseEndpoint);
    if (addresses.length === 0) throw new InvalidEndpointError('', 'is missing: none was given');
    const next = addresses.map(
      (address) =>
        this.pool.all.find((e) => e.address.url === address.url) ??
        new Endpoint(address, this.clock, this.options.credentials),
    );
    this.sync.seeds = addresses;
    for (const dropped of this.pool.replace(next)) this.leave(dropped);
  }

  /** The present token was refused: the next call or stream asks for a new one. */
  renewToken(): void {
    this.authenticator.forget();
  }

  /** Ends every call, stream and timer of this connection, and the connection. Calls under way reject. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    this.contact.close();
    this.sync.stop();
    this.caller.close();
    for (const stream of this.streams) stream.cancel();
    for (const raw of this.rawStreams.keys()) raw.cancel();
    // The cancellations reach the wire before the connections go.
    await new Promise((resolve) => setImmediate(resolve));
    for (const endpoint of this.pool.all) endpoint.close();
  }

  private leave(endpoint: Endpoint): void {
    for (const stream of this.streams) if (stream.endpoint === endpoint) stream.leave();
    for (const [raw, at] of this.rawStreams) if (at === endpoint) raw.cancel();
    endpoint.close();
  }

  private async withConnection<R>(
    service: ServiceName,
    use: (connection: ServiceConnection) => Promise<R> | R,
  ): Promise<R> {
    if (this.closed) {
      // What etcd3 still keeps would try again for ever and hold the process: this is the one
      // word that ends a lease of its, and no answer the one that ends a watch.
      if (service === 'Lease') throw new EtcdLeaseInvalidError('of a closed connection');
      if (service === 'Watch') return new Promise<never>(() => undefined);
    }
    this.assertConnected(service);
    const endpoint = this.pool.pick();
    const { timeouts, auth } = this.options;
    // etcd3 opens streams here, and takes a refused token for the end of its watches: so
    // the token is tried first, by a call that renews it.
    if (auth) await this.caller.probe(endpoint, timeouts.read);
    const metadata = await this.authenticator.authorize(endpoint, timeouts.read);
    this.assertOpen();
    const result = await use({ resource: endpoint, client: endpoint.service(service), metadata });
    if (isRawStream(result)) {
      this.rawStreams.set(result, endpoint);
      result.on('status', () => this.rawStreams.delete(result));
    }
    return result;
  }

  private call<T>(
    service: ServiceName,
    method: string,
    request: unknown,
    settings?: CallSettings,
  ): Promise<T> {
    // The caller answers a closed client itself.
    if (this.isAwaited && !this.closed) return Promise.reject(this.notYet(`${service}.${method}`));
    return this.caller.call(service, method, request, settings);
  }

  private async orClose<T>(run: () => T | Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Goes on without etcd, and makes the connection when it can be made. */
  private awaitEtcd(error: EtcdConnectError): void {
    this.connected = this.contact.makeEventually(error).then(() => this.sync.start());
    // Whoever waits for it is told; nobody need.
    this.connected.catch(() => undefined);
  }

  private notYet(what: string): EtcdUnavailableError {
    const detail = 'no endpoint could be used since the start, and that is tried again';
    return new EtcdUnavailableError(what, detail, this.contact.awaited);
  }

  private assertOpen(): void {
    if (this.closed) throw new ClientClosedError(this.options.connection);
  }

  private assertConnected(what: string): void {
    this.assertOpen();
    if (this.isAwaited) throw this.notYet(what);
  }
}

type OpenStream = (metadata: Metadata) => unknown;

interface RawStream {
  cancel(): void;
  on(event: 'status', listener: () => void): unknown;
}

function isRawStream(value: unknown): value is RawStream {
  return typeof (value as Partial<RawStream> | null)?.cancel === 'function';
}

/** etcd3 takes a deadline as a date; here it is a span. */
function rawSettings(deadline: Date | number | undefined): CallSettings | undefined {
  if (deadline === undefined || deadline === Infinity) return undefined;
  return { timeoutMs: Math.max(1, Number(deadline) - Date.now()) };
}
