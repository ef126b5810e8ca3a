import type { EtcdCoordinationError } from '../client/coordination.error.js';

/** Where a list of instances is from: nowhere yet, what was known before (an earlier run, or before it was let go), or etcd. */
export type ListSource = 'none' | 'snapshot' | 'etcd';

/** How a service that this process follows stands. */
export interface ServiceStatus {
  readonly service: string;
  readonly source: ListSource;
  /** Milliseconds since the list was last known to be what etcd has; Infinity before. */
  readonly ageMs: number;
  /** All instances, whatever their state. */
  readonly instances: number;
  /** Those that can take a call: up, and not ejected for failures. */
  readonly usable: number;
  /** Those that failed this process's calls, and get none for a while. */
  readonly ejected: number;
  /** Those that are gone from etcd, and kept because too many went at once. */
  readonly protected: number;
  /** Why etcd does not show the list now; null if it does, or merely does not answer. */
  readonly error: EtcdCoordinationError | null;
}
