import type { Observable } from 'rxjs';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { type CallGround, callService } from './call/call-service.js';
import type { CallOptions, ServiceCall } from './call/call-options.js';
import { type ServiceFetch, serviceFetch } from './call/service-fetch.js';
import { DEFAULT_DISCOVERY_OPTIONS, type ResolvedDiscoveryOptions } from './discovery-options.js';
import { DiscoverySnapshot } from './discovery-snapshot.js';
import { FollowedPool, type PoolGround } from './followed-pool.js';
import { assertServiceName } from './service-name.js';
import type { ChooseOptions, ServicePool } from './service-pool.js';
import type { ServiceStatus } from './service-status.js';

/** What the discovery stands on. */
export interface DiscoveryParts {
  readonly client: EtcdClient;
  readonly watch: WatchHub;
  readonly namespace: string;
  /** Who this process is: its subsets are its own. */
  readonly instanceId: string;
  /** The zone that this process runs in, and prefers. */
  readonly zone?: string | null;
  readonly options?: ResolvedDiscoveryOptions;
  /** From 0 up to, and without, 1; for tests. */
  readonly random?: () => number;
}

/**
 * The other services' instances, as this process knows them: local reads of what a watch keeps
 * current, through outages of etcd and, if asked, restarts.
 *
 * A service is followed from the first time that it is asked for. What is left of one that is let go is
 * little, and stays: give names of services, and none that a stranger can make up.
 */
export class ServiceDiscovery {
  private readonly pools = new Map<string, FollowedPool>();
  private readonly ground: PoolGround;
  private readonly calls: CallGround;
  private closed = false;

  /**
   * A `fetch` for addresses such as `service://inventory/items?limit=10`, which may be passed on by itself:
   * {@link call}, over HTTP. Requests that are idempotent by their method, or by an `Idempotency-Key`, are
   * repeated elsewhere; answers 502, 503 and 504 count as failures of their instance.
   *
   * @throws {InvalidServiceUrlError} for anything but the address of a service
   */
  readonly fetch: ServiceFetch;

  constructor({
    client,
    watch,
    namespace,
    instanceId,
    zone = null,
    options = DEFAULT_DISCOVERY_OPTIONS,
    random = Math.random,
  }: DiscoveryParts) {
    const snapshot = options.snapshot
      ? new DiscoverySnapshot(options.snapshot.file, namespace, client.clock)
      : null;
    this.ground = { client, watch, namespace, instanceId, zone, options, random, snapshot };
    this.calls = { clock: client.clock, random };
    this.fetch = serviceFetch(this, this.calls);
  }

  /** Reads the snapshot, if there is to be one, so that it is at hand. Never rejects. */
  async open(): Promise<void> {
    await this.ground.snapshot?.open();
  }

  /** Whether lists are kept in a file, of an earlier run or by now, so that an application can do without etcd. */
  get hasKeptLists(): boolean {
    return this.ground.snapshot?.holdsAny ?? false;
  }

  /**
   * The instances of a service, followed from now on.
   *
   * @throws {InvalidDiscoveryOptionError} for a name that no service can have
   * @throws {ClientClosedError} once the connection is closed, for a service that was not followed
   */
  pool(service: string): ServicePool {
    const pool = this.poolOf(service);
    pool.follow();
    return pool;
  }

  /**
   * Resolves as soon as there is a list of the service.
   *
   * @throws {InvalidDiscoveryOptionError} for a name that no service can have
   * @throws what etcd refuses the list with, or the signal's reason
   */
  async ready(service: string, signal?: AbortSignal): Promise<void> {
    await this.pool(service).ready(signal);
  }

  /** All instances of a service, whatever their state, in the order of their ids; none before {@link ready}. */
  instances(service: string): readonly ServiceInstance[] {
    return this.pool(service).instances();
  }

  /** The present list as soon as there is one, and another one after each change. Completes when the connection closes. */
  instances$(service: string): Observable<readonly ServiceInstance[]> {
    return this.poolOf(service).instances$;
  }

  /**
   * One instance that can take a call.
   *
   * @throws {NoInstanceError} if none can, or the list is not here yet: see {@link ready}
   * @throws {InvalidDiscoveryOptionError} for options, or a name, that cannot be
   */
  choose(service: string, options?: ChooseOptions): ServiceInstance {
    return this.pool(service).choose(options);
  }

  /**
   * Calls an instance of a service, and another one where that fails: always if the call never reached the
   * first, and only with `idempotent` if it may have been applied there. How calls end decides about who
   * is called next, and who is ejected. What the caller owns - its term, its lock - ends the call with it.
   *
   * @example
   * const stock = await discovery.call('inventory', ({ address }, { signal }) =>
   *   axios.get(`${address}/items`, { signal }), { idempotent: true, timeoutMs: 500 });
   *
   * @throws the last attempt's error, as it is
   * @throws {NoInstanceError} if there is nobody to call, or no list within `readyTimeoutMs`
   * @throws {CallTimeoutError} if the last attempt took longer than `timeoutMs`
   * @throws {InvalidDiscoveryOptionError} if what was asked for cannot be; nothing was called
   * @throws the reason of the signal, or of that of the term or lock that was lost, when it aborts
   */
  async call<T>(service: string, fn: ServiceCall<T>, options?: CallOptions): Promise<T> {
    return callService(this.pool(service), fn, options, this.calls);
  }

  /** The names of the services that are followed now. */
  services(): string[] {
    return [...this.pools].filter(([, pool]) => pool.isFollowed).map(([name]) => name);
  }

  /** How each service that is followed stands. Makes no call, and counts as no use. */
  statuses(): ServiceStatus[] {
    return [...this.pools.values()].flatMap((pool) => pool.status() ?? []);
  }

  /** Follows nothing any more, and writes the snapshot. Lists that are known can still be read. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    for (const pool of this.pools.values()) pool.close();
    await this.ground.snapshot?.close();
  }

  private poolOf(service: string): FollowedPool {
    assertServiceName(service);
    let pool = this.pools.get(service);
    if (!pool) {
      const { client } = this.ground;
      if (this.closed) throw new ClientClosedError(client.options.connection);
      this.pools.set(service, (pool = new FollowedPool(this.ground, service)));
    }
    return pool;
  }
}
