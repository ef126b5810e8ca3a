/**
 * What keeps a list from being emptied by leases that expire together. Those that are kept get their share of the
 * calls, or the few that are left would drown; one that fails a call is left alone at once.
 */
export interface ProtectionOptions {
  /** More than this share lost within the window is taken for a fault of the registry. From 0 up to, and without, 1. Default 0.5. */
  readonly maxLossShare?: number;
  /** The window, in milliseconds. Default 10,000. */
  readonly windowMs?: number;
  /** Fewer losses than this are believed, but within 30 s of an interruption, when none are too few. Default 5. */
  readonly atLeast?: number;
  /** How long a lost instance is kept at most, in milliseconds. Default 300,000. */
  readonly holdMs?: number;
}

/** When an instance that fails this process's own calls is left alone for a while. */
export interface EjectionOptions {
  /** So many failures in a row eject it; the first one does while it is protected. Default 5. */
  readonly failures?: number;
  /** The first ejection's length in milliseconds; the second in a row is twice as long, and so on. Default 5,000. */
  readonly baseMs?: number;
  /** The longest ejection, in milliseconds. Default 300,000. */
  readonly maxMs?: number;
  /** At most this share of the instances that are up is ejected, or on trial, at a time; those that are protected do not count. Above 0, up to 1. Default 0.5. */
  readonly maxShare?: number;
}

/** How other services are discovered, and how one of their instances is chosen. */
export interface DiscoveryOptions {
  /** Against mass expiry; `false` believes every deletion at once. */
  readonly protection?: ProtectionOptions | false;
  /** Of instances that fail; `false` ejects none. */
  readonly ejection?: EjectionOptions | false;
  /** Milliseconds in which an instance that is new, or well again, comes to its full share. Default 30,000; 0 gives it that at once. */
  readonly slowStartMs?: number;
  readonly zone?: {
    /** Calls stay in the own zone as long as this share of its instances can take them; with fewer, a part of them goes to all zones. Above 0, up to 1. Default 0.7. */
    readonly minHealthy?: number;
  };
  /** Has this process talk with so many instances of a service instead of all, different ones than its peers. */
  readonly subset?: { readonly size: number };
  /** Keeps the last known lists in a file, so that a process can start while etcd is away. */
  readonly snapshot?: {
    /** In a folder that is there and can be written. Each connection of each process needs its own. */
    readonly file: string;
  };
  /** A service that was not asked for in so many milliseconds is not followed any more, until it is asked for again. Default 600,000; 0 follows it for ever. */
  readonly idleMs?: number;
}

/** The options with every default filled in, validated. */
export interface ResolvedDiscoveryOptions {
  readonly protection: Required<ProtectionOptions> | false;
  readonly ejection: Required<EjectionOptions> | false;
  readonly slowStartMs: number;
  readonly zone: { readonly minHealthy: number };
  readonly subset: { readonly size: number } | null;
  readonly snapshot: { readonly file: string } | null;
  readonly idleMs: number;
}

export const DEFAULT_PROTECTION: Required<ProtectionOptions> = {
  maxLossShare: 0.5,
  windowMs: 10_000,
  atLeast: 5,
  holdMs: 300_000,
};

export const DEFAULT_EJECTION: Required<EjectionOptions> = {
  failures: 5,
  baseMs: 5000,
  maxMs: 300_000,
  maxShare: 0.5,
};

export const DEFAULT_DISCOVERY_OPTIONS: ResolvedDiscoveryOptions = {
  protection: DEFAULT_PROTECTION,
  ejection: DEFAULT_EJECTION,
  slowStartMs: 30_000,
  zone: { minHealthy: 0.7 },
  subset: null,
  snapshot: null,
  idleMs: 600_000,
};
