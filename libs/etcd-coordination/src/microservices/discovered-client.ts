import { type ClientOptions, ClientProxy, type ReadPacket } from '@nestjs/microservices';
import { connectable, defer, Observable, Subject } from 'rxjs';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { callService } from '../discovery/call/call-service.js';
import type { CallAttempt } from '../discovery/call/call-options.js';
import type { PoolSource } from '../discovery/call/service-fetch.js';
import { SpeakingPool } from '../discovery/call/speaking-pool.js';
import { fenceHeaders } from '../fencing/fence-headers.js';
import {
  assertClientOptions,
  DEFAULT_CONNECT_TIMEOUT_MS,
  type DiscoveredClientOptions,
} from './client-options.js';
import { Exchange } from './exchange.js';
import { InstanceClients } from './instance-clients.js';
import { SharedClientError, UnboundClientError } from './microservices.errors.js';

/**
 * What makes Nest's `@Client` and `ClientsModule` use a {@link DiscoveredClient}: the type of `@Client` has no
 * place for classes of one's own, though it takes them.
 *
 * @throws {InvalidClientOptionError} or {InvalidDiscoveryOptionError} naming what cannot be
 */
export function discoveredClient(options: DiscoveredClientOptions): ClientOptions {
  assertClientOptions(options);
  return { customClass: DiscoveredClient, options } as unknown as ClientOptions;
}

/** What a client has once it knows its registry. */
interface Bound {
  readonly pool: SpeakingPool;
  readonly clients: InstanceClients;
}

/**
 * A `ClientProxy` over TCP that sends each message to an instance of a service, as the registry has them.
 * A message that never reached its instance is sent to another one; one that may have, only if its `call`
 * options say that it is `idempotent`. The fences of what the sender owns go along.
 *
 * Give it to Nest by {@link discoveredClient}, with
 * `DiscoveredClientsModule` imported, or have it made by `DiscoveredClientsModule.register()`.
 */
export class DiscoveredClient extends ClientProxy {
  readonly service: string;
  /** The etcd connection whose registry it follows. */
  readonly connection: string;
  private source: PoolSource | null;
  private bound: Bound | null = null;

  /**
   * @throws {InvalidClientOptionError} or {InvalidDiscoveryOptionError} naming what cannot be
   */
  constructor(private readonly options: DiscoveredClientOptions) {
    super();
    assertClientOptions(options);
    this.service = options.service;
    this.connection = options.connection ?? DEFAULT_CONNECTION;
    this.source = options.discovery ?? null;
  }

  /** Whether its options say where its pool is had. */
  get isGiven(): boolean {
    return this.options.discovery !== undefined;
  }

  /**
   * Tells it where its pool is had, unless its options say that.
   *
   * @throws {SharedClientError} if another application has told it
   */
  bind(source: PoolSource): void {
    if (this.isGiven) return;
    if (this.source !== null && this.source !== source) throw new SharedClientError(this.service);
    this.source = source;
  }

  /** Ends what {@link bind} began, if it was with this source. */
  unbind(source: PoolSource): void {
    if (this.isGiven || this.source !== source) return;
    this.close();
    this.source = null;
  }

  /**
   * Resolves when there is a list of instances. Connections are made when an instance is first chosen.
   *
   * @throws {UnboundClientError} if it does not know a registry
   */
  async connect(): Promise<void> {
    await this.follow().pool.ready();
  }

  /** Closes all connections. A later message makes new ones, as with Nest's own client. */
  close(): void {
    this.bound?.clients.close();
    this.bound = null;
  }

  /** Nest calls it. */
  onApplicationShutdown(): void {
    this.close();
  }

  /** The TCP clients that are open, by the addresses of their instances. */
  unwrap<T>(): T {
    return (this.bound?.clients.open ?? new Map()) as T;
  }

  override send<TResult = unknown, TInput = unknown>(
    pattern: unknown,
    data: TInput,
  ): Observable<TResult> {
    // Nest's own word for it.
    if (isNil(pattern) || isNil(data)) return super.send(pattern, data);
    return new Observable<unknown>((subscriber) => {
      const exchange = new Exchange(subscriber);
      this.exchange(pattern, data, exchange).catch((error: unknown) => subscriber.error(error));
      return () => exchange.giveUp();
    }) as Observable<TResult>;
  }

  override emit<TResult = unknown, TInput = unknown>(
    pattern: unknown,
    data: TInput,
  ): Observable<TResult> {
    if (isNil(pattern) || isNil(data)) return super.emit(pattern, data);
    const source = defer((): Promise<unknown> => this.deliver(pattern, data));
    const emitted = connectable(source, {
      connector: () => new Subject<unknown>(),
      resetOnDisconnect: false,
    });
    emitted.connect();
    return emitted as Observable<TResult>;
  }

  protected publish(): () => void {
    throw new TypeError('Messages go out by the clients of the instances.');
  }

  protected dispatchEvent<T>(packet: ReadPacket): Promise<T> {
    return this.deliver(packet.pattern, packet.data) as Promise<T>;
  }

  private exchange(pattern: unknown, data: unknown, exchange: Exchange): Promise<void> {
    return this.call(exchange.signal, async ({ client, release }, { signal }) => {
      try {
        await client.connect();
        signal.throwIfAborted();
        const packet = this.packet(pattern, data);
        return await exchange.firstOf(client.request(packet), signal, release);
      } catch (error) {
        release();
        throw error;
      }
    });
  }

  private async deliver(pattern: unknown, data: unknown): Promise<void> {
    await this.call(undefined, async ({ client, release }, { signal }) => {
      try {
        await client.connect();
        signal.throwIfAborted();
        await client.event(this.packet(pattern, data));
      } finally {
        release();
      }
    });
  }

  private async call(
    signal: AbortSignal | undefined,
    made: (used: ReturnType<InstanceClients['use']>, call: CallAttempt) => Promise<void>,
  ): Promise<void> {
    // Once for all attempts: what is closed meanwhile is not to be opened again by another one.
    const { pool, clients } = this.follow();
    const options = { ...this.options.call, ...(signal ? { signal } : {}) };
    // What this throws at once is no word on the instance.
    await callService(pool, (instance, call) => made(clients.use(instance), call), options);
  }

  /** What the hook of the application adds to it, and the fences of the sender. */
  private packet(pattern: unknown, data: unknown): ReadPacket {
    const packet = this.createPacket(pattern, data);
    const fences = fenceHeaders();
    if (Object.keys(fences).length === 0) return packet;
    return Object.assign(packet, { metadata: { ...fences, ...packet.metadata } });
  }

  private follow(): Bound {
    if (this.bound) return this.bound;
    if (this.source === null) throw new UnboundClientError(this.service);
    const pool = this.source.pool(this.service);
    const { connectTimeoutMs = DEFAULT_CONNECT_TIMEOUT_MS } = this.options;
    // Nest's client reads of them what it knows.
    const clients = new InstanceClients(pool, { tcp: this.options, connectTimeoutMs });
    return (this.bound = { pool: new SpeakingPool(pool, ['tcp']), clients });
  }
}

function isNil(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}
