/** How an instance is, from best to worst. Only `up` gets new calls. */
export const INSTANCE_STATES = ['up', 'starting', 'draining', 'down'] as const;

/**
 * - `up`: it takes calls
 * - `starting`: it is registered, and has not passed its checks yet
 * - `draining`: it ends what it has begun, and takes no new calls
 * - `down`: it, a prober or somebody's mark says that it cannot work
 */
export type InstanceState = (typeof INSTANCE_STATES)[number];

/** The worse of two states. */
export function worse(a: InstanceState, b: InstanceState): InstanceState {
  return INSTANCE_STATES.indexOf(a) >= INSTANCE_STATES.indexOf(b) ? a : b;
}

/** How an instance is spoken to. */
export const PROTOCOLS = ['http', 'https', 'grpc', 'grpcs', 'tcp'] as const;
export type ServiceProtocol = (typeof PROTOCOLS)[number];

/** The source of a prober's words. */
export const PROBE_SOURCE = 'probe';

/** The source of an instance's words of itself. */
export const OWN_SOURCE = 'instance';

/** What somebody says of an instance's health. */
export interface HealthWord {
  readonly state: InstanceState;
  /** {@link OWN_SOURCE} for what it says of itself, {@link PROBE_SOURCE} for a prober's word, otherwise the name of a mark. */
  readonly source: string;
  /** The id of the process that said so. */
  readonly by: string;
  /** Why, for people; null if nothing is to be said. */
  readonly reason: string | null;
}

/** How an instance can be probed. */
export const PROBE_KINDS = ['http', 'tcp', 'grpc'] as const;

/** How an instance asks to be probed. Intervals and timeouts are milliseconds. */
export interface ProbeSpec {
  readonly kind: (typeof PROBE_KINDS)[number];
  /** Where it answers probes, if that is not the port of its address. */
  readonly port: number | null;
  /** `http`: the path that must answer 2xx. `grpc`: the service's name for grpc.health.v1. */
  readonly target: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** So many failures in a row take it down. */
  readonly failures: number;
  /** So many passes in a row bring it up again. */
  readonly passes: number;
}

/** One instance of a service, as the registry has it. Immutable: a change makes another one. */
export interface ServiceInstance {
  readonly service: string;
  /** Different for each instance of the service. */
  readonly id: string;
  /** `protocol://host:port`. */
  readonly address: string;
  readonly protocol: ServiceProtocol;
  readonly host: string;
  readonly port: number;
  readonly zone: string | null;
  /** Its share of the traffic against its peers', above 0. */
  readonly weight: number;
  readonly version: string | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly probe: ProbeSpec | null;
  /** The worst of {@link words}. */
  readonly state: InstanceState;
  /** Who says what of its health; its own word first. */
  readonly words: readonly HealthWord[];
  /** The lease that its key stands on, in decimal; `0` if somebody put it without one. */
  readonly lease: string;
  /** The revision at which it was registered. */
  readonly createRevision: bigint;
  /** Whether it is gone from etcd, and kept here because too many went at once. */
  readonly isProtected: boolean;
}
