import type { SystemName } from '../systems/system.js';

/** How a run is made. The same seed makes the same choices, as far as processes let it. */
export interface RunOptions {
  /** `3.4`, `3.5.16` or `3.5`. */
  readonly line: string;
  readonly system: SystemName;
  readonly seconds: number;
  readonly seed: number;
  /** Worker processes. Default 5. */
  readonly workers?: number;
  /** Default 2. */
  readonly ttlSeconds?: number;
  /** Names of works; left out, all that the system can do. */
  readonly works?: readonly string[];
  /** Kinds of faults; left out, all that the cluster can have. */
  readonly faults?: readonly string[];
  /** A deliberate fault in the library that the workers run; see `mutants/`. */
  readonly mutant?: string;
  /** How clients must show themselves. Default `plain`. */
  readonly security?: 'plain' | 'auth' | 'tls' | 'tls+auth';
  /** Where notes go; left out, a temporary folder that outlives only a run with violations. */
  readonly folder?: string;
}
