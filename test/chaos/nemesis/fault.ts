import type { SeededRandom } from '../../support/seeded-random.js';
import type { ChaosCluster, ClusterFeature } from './chaos-cluster.js';
import type { Fleet } from '../fleet/fleet.js';

/**
 * What faults do things to. Those upon etcd never overlap, nor do those upon the network; two go on side by side
 * among the processes, so that a successor is hit while its predecessor still stands still.
 */
export type Lane = 'processes' | 'network' | 'etcd';

/**
 * One kind of fault. Each knows whom it hits, does it, waits until it must have hurt, and takes it back; it says
 * whether it has hit. `faults/index.ts` lists all.
 */
export interface Fault {
  /** Such as `freeze holder`; a line of the report. */
  readonly kind: string;
  readonly lane: Lane;
  /** What the run's cluster must have for it. */
  readonly needs?: readonly ClusterFeature[];
  /** How often a run of one minute must have had it hit, 0 if it is too rare for that; longer runs in proportion. */
  readonly leastPerMinute: number;
  /**
   * Resolves when the fault is over and undone, with whether it has hit anybody.
   * Must undo what it did however it ends.
   */
  inflict(field: Battlefield): Promise<boolean>;
}

/** What faults do things to. */
export interface Battlefield {
  readonly cluster: ChaosCluster;
  readonly fleet: Fleet;
  readonly random: SeededRandom;
  readonly ttlMs: number;
  /** Aborted when the run heals: a fault that waits stops waiting and undoes what it did. */
  readonly signal: AbortSignal;
  /** Notes that the fault has begun, once it knows its targets. */
  begun(targets: readonly string[]): void;
  /** Notes that a member that this fault froze is about to go on. */
  thawed(member: string): void;
}
