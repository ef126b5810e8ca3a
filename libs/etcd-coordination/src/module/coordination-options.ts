import type {
  InjectionToken,
  ModuleMetadata,
  OptionalFactoryDependency,
  Type,
} from '@nestjs/common';
import type {
  CallTimeouts,
  ClientOptions,
  RetryOptions,
  TlsCredentials,
  UserCredentials,
} from '../client/client-options.js';
import type { MonotonicClock } from '../client/clock.js';
import type { DiscoveryOptions, ResolvedDiscoveryOptions } from '../discovery/discovery-options.js';
import type { SnapshotOptions } from '../config/snapshot/snapshot-options.js';
import type { LockTurns } from '../lock/lock-options.js';
import type { ServiceRegistration } from '../registry/registration-options.js';
import type { SessionOptions } from '../session/session-options.js';
import type { WriteBatcherOptions } from '../transaction/write-batcher-options.js';
import type { WatchServiceOptions } from '../watch/watch.service.js';
import type { TrafficOptions } from './traffic-options.js';

/** What this process says of itself to the fleet: as what it is registered, where it serves. */
export interface ServiceOptions extends Omit<ServiceRegistration, 'id' | 'address'> {
  /** What the service is called, such as `orders`; the start of the default {@link CoordinationOptions.instanceId}. */
  readonly name: string;
  /**
   * Where this process serves, as {@link ServiceRegistration.address}: it is registered as an instance
   * of the service there, and others see it beside its candidacies.
   */
  readonly address?: string;
  /** `false` keeps a process with an address out of the registry. Default true. */
  readonly register?: boolean;
}

/** How configurations are kept. */
export interface ConfigKeepingOptions {
  /**
   * Keeps the last good configurations in a file, so that the application can start while etcd is
   * away. Left out, it cannot.
   */
  readonly snapshot?: SnapshotOptions;
  /** How many versions of each layer are kept in etcd, at least 1. Default 50. */
  readonly historyLimit?: number;
}

/** What this process does for the registry of its fleet. */
export interface RegistryOptions {
  /**
   * Whether this process takes part in the probing of all instances of the namespace that ask for it.
   * One elected process probes, and others help where there are many. Default: if one of this process's own
   * instances asks to be probed.
   *
   * A verdict lasts until a prober takes it back, or the instance registers anew: if the last process
   * that takes part leaves, what it has found down stays down, though it be well again, until one is
   * back. So have more than one of them, and not only on machines that go together.
   */
  readonly prober?: boolean;
}

/** How the application leaves. */
export interface ShutdownOptions {
  /**
   * Milliseconds for which running work of this process's terms may go on after their signals
   * have aborted, before leadership is handed over, and for which running work under locks may. 0
   * does not wait. Default 10000.
   */
  readonly drainTimeoutMs: number;
  /**
   * Milliseconds for which a registered instance goes on serving after it has said that it drains, so
   * that everybody has heard of it before its servers close. Default 500; 0 does not wait.
   */
  readonly noticeMs: number;
}

/** What `EtcdCoordinationModule.forRoot` takes. Only `endpoints` has no default. */
export interface CoordinationOptions {
  /** The members of the cluster, each `host:port`, `http://host:port` or `https://host:port`; all with TLS or none. */
  readonly endpoints: readonly string[];
  /**
   * What all keys of this library start with. Applications with the same namespace and the
   * same cluster act as one fleet. Default `coordination`.
   */
  readonly namespace?: string;
  /** The connection's name, for applications that have several. Default `default`. */
  readonly connection?: string;
  /** Who this process is among the fleet, different for each. Default `<service name or host name>-<pid>-<4 hex digits>`. */
  readonly instanceId?: string;
  /** TLS material, for `https` endpoints. */
  readonly credentials?: TlsCredentials;
  /** The etcd user to log in as. */
  readonly auth?: UserCredentials;
  /** How long each kind of call may take, in milliseconds. */
  readonly timeouts?: Partial<CallTimeouts>;
  /** How calls that are safe to repeat are repeated. */
  readonly retry?: Partial<RetryOptions>;
  /** Milliseconds between looks at the cluster's member list; 0 turns them off. Default 30000. */
  readonly endpointSyncInterval?: number;
  /** How the process's lease is kept. */
  readonly session?: Partial<SessionOptions>;
  /** What this process says of itself. */
  readonly service?: ServiceOptions;
  /** What this process does for the registry of its fleet. */
  readonly registry?: RegistryOptions;
  /** How configurations are kept. */
  readonly config?: ConfigKeepingOptions;
  /** How other services are discovered, and one of their instances is chosen. */
  readonly discovery?: DiscoveryOptions;
  /** How it is proven that what is watched is what etcd holds. */
  readonly watch?: WatchServiceOptions;
  /** How a process passes a lock on among its own while other processes wait for it. */
  readonly lock?: Partial<LockTurns>;
  /** Limits, policies and switches that keep the fleet standing under load. */
  readonly traffic?: TrafficOptions;
  /** How the `WriteBatcher` gathers writes and reads. */
  readonly batcher?: WriteBatcherOptions;
  /** How the application leaves. */
  readonly shutdown?: Partial<ShutdownOptions>;
}

/** Makes the options of a connection; for `forRootAsync({ useClass | useExisting })`. */
export interface CoordinationOptionsFactory {
  createCoordinationOptions(): CoordinationOptions | Promise<CoordinationOptions>;
}

interface AsyncOptionsBase extends Pick<ModuleMetadata, 'imports'> {
  /** The connection's name. It is wanted here, before the options are made. Default `default`. */
  readonly connection?: string;
}

/** What `EtcdCoordinationModule.forRootAsync` takes: one of `useFactory`, `useClass` and `useExisting`. */
export type CoordinationAsyncOptions = AsyncOptionsBase &
  (
    | {
        readonly useFactory: (
          // Whatever `inject` names, in its order.
          // oxlint-disable-next-line typescript/no-explicit-any
          ...dependencies: any[]
        ) => CoordinationOptions | Promise<CoordinationOptions>;
        readonly inject?: (InjectionToken | OptionalFactoryDependency)[];
      }
    | { readonly useClass: Type<CoordinationOptionsFactory> }
    | { readonly useExisting: InjectionToken<CoordinationOptionsFactory> }
  );

/** The options with every default filled in, validated. */
export interface ResolvedCoordinationOptions {
  readonly connection: string;
  readonly namespace: string;
  readonly instanceId: string;
  readonly client: ClientOptions;
  readonly session: SessionOptions;
  readonly service: ServiceOptions | undefined;
  /** What this process registers by itself; null for nothing. */
  readonly registration: ServiceRegistration | null;
  readonly registry: RegistryOptions;
  readonly discovery: ResolvedDiscoveryOptions;
  readonly config: ConfigKeepingOptions & { readonly historyLimit: number };
  readonly watch: Required<WatchServiceOptions>;
  readonly lock: LockTurns;
  readonly traffic: Required<TrafficOptions>;
  readonly batcher: Required<WriteBatcherOptions>;
  readonly shutdown: ShutdownOptions;
  /** By which everything on the connection tells the time. Default the machine's monotonic clock. */
  readonly clock?: MonotonicClock;
}

export const DEFAULT_NAMESPACE = 'coordination';

export const DEFAULT_SHUTDOWN_OPTIONS: ShutdownOptions = {
  drainTimeoutMs: 10_000,
  noticeMs: 500,
};
