import type { HealthCheck } from './health/health-check.js';
import type { ProbeSpec, ServiceInstance, ServiceProtocol } from './service-instance.js';

/** How an instance watches over its own health, and asks to be probed by others. */
export interface RegistrationHealth {
  /**
   * Asked every `intervalMs`, all at once; the instance is up if all of them pass. With none, and
   * without `maxEventLoopDelayMs`, it is up as soon as it is registered.
   */
  readonly checks?: Readonly<Record<string, HealthCheck>>;
  /** Milliseconds between two rounds of checks, 100 or more. Default 5000. */
  readonly intervalMs?: number;
  /**
   * Milliseconds that a check may take, 10 or more; one that takes longer has failed. Default 2000. It
   * may be longer than the interval: no check runs twice at a time, and the next round waits.
   */
  readonly timeoutMs?: number;
  /** So many failed rounds in a row take it down. Default 3. */
  readonly failures?: number;
  /** So many passed rounds in a row bring it up again. Default 2. */
  readonly passes?: number;
  /**
   * A round in which the event loop was held up for longer than this at a time, in milliseconds, has
   * failed. Left out, it is not measured.
   */
  readonly maxEventLoopDelayMs?: number;
  /**
   * Asks the elected prober of the fleet to call this instance. Defaults: its address's port, target
   * `/` for `http` and the whole server for `grpc`, and the four numbers above; it is asked every 250 ms
   * at the most.
   */
  readonly probe?: Partial<ProbeSpec> & Pick<ProbeSpec, 'kind'>;
}

/** What `ServiceRegistry.register` takes. */
export interface ServiceRegistration {
  /** The service's name, by which it is found. */
  readonly name: string;
  /** Different for each instance of the service. Default this process's `instanceId`. */
  readonly id?: string;
  /**
   * Where it serves, as others reach it: `http|https|grpc|grpcs|tcp://host:port`, IPv6 in brackets, or
   * `host:port`. Without a port `http` is at 80 and `https` at 443.
   */
  readonly address: string;
  /** How it is spoken to, if the address does not say it. Default `http`. */
  readonly protocol?: ServiceProtocol;
  /** The zone or rack that it runs in. */
  readonly zone?: string;
  /** Its share of the traffic against its peers', above 0. Default 1. */
  readonly weight?: number;
  /** The version that runs here. */
  readonly version?: string;
  /** Anything else that the fleet may read: 64 KB of keys and values at the most. */
  readonly metadata?: Readonly<Record<string, string>>;
  readonly health?: RegistrationHealth;
}

/** How an instance watches over its own health, complete and validated. */
export interface ResolvedHealth {
  readonly checks: Readonly<Record<string, HealthCheck>>;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly failures: number;
  readonly passes: number;
  readonly maxEventLoopDelayMs: number | null;
}

/** A registration with every default filled in, validated. */
export interface ResolvedRegistration extends Pick<
  ServiceInstance,
  | 'service'
  | 'id'
  | 'address'
  | 'protocol'
  | 'host'
  | 'port'
  | 'zone'
  | 'weight'
  | 'version'
  | 'metadata'
  | 'probe'
> {
  readonly health: ResolvedHealth;
}

/** What a mark says of an instance, for a span. */
export interface MarkOptions {
  /** `down`, or `draining`: what it has begun may end. */
  readonly state: 'down' | 'draining';
  /** Why, for people. */
  readonly reason?: string;
  /** How long the mark stands, in milliseconds, in whole seconds and rounded up; a day at the most. */
  readonly forMs: number;
  /**
   * Who says so, such as `operator` or `billing-monitor`: each has one mark on an instance. Default
   * this process's `instanceId`.
   */
  readonly source?: string;
}
