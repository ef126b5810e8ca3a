import { experimental, type ChannelOptions, Metadata, status } from '@grpc/grpc-js';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import type { PoolSource } from '../discovery/call/service-fetch.js';
import { CUT_OFF_AFTER_MS, type ServicePool } from '../discovery/service-pool.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import { isDownForProbersOnly } from '../discovery/down-for-probers.js';
import { NoInstanceError } from '../discovery/discovery.errors.js';
import { UnboundClientError } from './microservices.errors.js';

type Uri = experimental.GrpcUri;
type Listener = experimental.ResolverListener;
type ResolverConstructor = Parameters<typeof experimental.registerResolver>[1];
type ServiceConfig = Extract<Parameters<Listener>[2], { ok: true }>['value'];

/** Addresses of services begin with it in gRPC: `etcd-service:///inventory`. */
export const GRPC_SERVICE_SCHEME = 'etcd-service';

/** The option of a channel that says where it has its pools. */
export const POOLS_OPTION = 'nestjs-etcd-coordination.pools';

/** Where the pools of a connection are had. */
export type PoolsOfConnection = (connection: string) => PoolSource;

/** Every instance has its connection, and they get calls in turn. */
const ROUND_ROBIN: ServiceConfig = {
  loadBalancingConfig: [{ round_robin: {} }],
  methodConfig: [],
};

/**
 * The options of a channel that may be made to `etcd-service:///<service>`: gRPC then follows the service's
 * instances, and calls them in turn. For `channelOptions` of Nest's gRPC transport, where a client is not
 * found by `DiscoveredClientsModule`, and for clients of grpc-js itself.
 *
 * @param source such as `ServiceDiscovery`
 */
export function serviceChannelOptions(source: PoolSource): ChannelOptions {
  return channelOptionsOf(() => source);
}

/** The same, for addresses that name a connection: `etcd-service://<connection>/<service>`. */
export function channelOptionsOf(pools: PoolsOfConnection): ChannelOptions {
  experimental.registerResolver(GRPC_SERVICE_SCHEME, ServiceResolver);
  return { [POOLS_OPTION]: pools };
}

/**
 * A resolver of grpc-js that follows one pool, as a class: for `experimental.registerResolver` under a scheme
 * of one's own, where the pool is known beforehand.
 */
export function resolverFor(pool: ServicePool): ResolverConstructor {
  return class PoolResolver extends ServiceResolver {
    protected override pool(): ServicePool {
      return pool;
    }
  };
}

/** Follows the instances of a service that speak gRPC. */
export class ServiceResolver implements experimental.Resolver {
  private following: { unsubscribe(): void } | null = null;
  /** The addresses that gRPC was told last, or null. */
  private told: string | null = null;

  constructor(
    private readonly target: Uri,
    private readonly listener: Listener,
    private readonly options: ChannelOptions,
  ) {}

  /** What servers are told that they were asked for, and whose certificate they must show. */
  static getDefaultAuthority({ path }: Uri): string {
    return encodeURIComponent(serviceOf(path));
  }

  /** gRPC asks for news when a connection is lost. There are none but those that it is told of anyway. */
  updateResolution(): void {
    if (this.following) return;
    let isOver = false;
    this.following = { unsubscribe: () => (isOver = true) };
    // It must not be told before this has returned.
    process.nextTick(() => {
      if (!isOver) this.follow();
    });
  }

  destroy(): void {
    this.following?.unsubscribe();
    this.following = null;
    this.told = null;
  }

  /** @throws what keeps it from being had */
  protected pool(): ServicePool {
    const service = serviceOf(this.target.path);
    const pools = this.options[POOLS_OPTION] as PoolsOfConnection | undefined;
    if (typeof pools !== 'function') throw new UnboundClientError(service);
    return pools(this.target.authority || DEFAULT_CONNECTION).pool(service);
  }

  private follow(): void {
    try {
      const pool = this.pool();
      const waiting = new AbortController();
      const subscription = pool.instances$.subscribe((instances) => this.tell(pool, instances));
      this.following = {
        unsubscribe: () => {
          subscription.unsubscribe();
          waiting.abort();
        },
      };
      pool.ready(waiting.signal).catch((error: unknown) => {
        if (!waiting.signal.aborted) this.refuse(error);
      });
    } catch (error) {
      this.refuse(error);
    }
  }

  private tell(pool: ServicePool, instances: readonly ServiceInstance[]): void {
    const able = ableOf(instances);
    if (able.length === 0 && this.told && pool.ageMs() > CUT_OFF_AFTER_MS) return;
    const addresses = able.map(({ host, port }) => ({ host, port }));
    const now = JSON.stringify(addresses);
    // It makes all its connections anew, as it were: not for a word of somebody's health.
    if (now === this.told) return;
    this.told = now;
    const endpoints = addresses.map((address) => ({ addresses: [address] }));
    const { service } = pool;
    const what = `The service "${service}" has ${instances.length} instances, of which ${able.length} can take calls and speak gRPC`;
    this.listener(experimental.statusOrFromValue(endpoints), {}, this.config, what);
    // With no address at all, round_robin would have calls wait without end.
    if (able.length === 0)
      this.refuse(
        new NoInstanceError(
          service,
          `${instances.length} are registered, none is up and speaks gRPC`,
        ),
      );
  }

  private refuse(error: unknown): void {
    const details = error instanceof Error ? error.message : String(error);
    const refusal = { code: status.UNAVAILABLE, details, metadata: new Metadata() };
    this.listener(experimental.statusOrFromError(refusal), {}, this.config, '');
  }

  /** How calls are spread, unless the channel's own options say that. */
  private get config(): Parameters<Listener>[2] {
    const isConfigured = this.options['grpc.service_config'] !== undefined;
    return isConfigured ? null : experimental.statusOrFromValue(ROUND_ROBIN);
  }
}

function ableOf(instances: readonly ServiceInstance[]): readonly ServiceInstance[] {
  const speaking = instances.filter(({ protocol }) => protocol === 'grpc' || protocol === 'grpcs');
  const up = speaking.filter(({ state }) => state === 'up');
  // A prober that finds everybody down is more likely wrong than right.
  return up.length > 0 ? up : speaking.filter(isDownForProbersOnly);
}

function serviceOf(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // No service has such a name, which the discovery says.
    return path;
  }
}
