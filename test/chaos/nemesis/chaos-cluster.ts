import type { EtcdMember } from '../../support/etcd-cluster.js';
import type { Compaction } from '../check/evidence.js';
import type { EtcdUser } from '../../support/member-change.js';

/** What not every cluster, etcd or machine can have. */
export type ClusterFeature = 'auth' | 'tls' | 'token-expiry' | 'small-disk' | 'peer-proxies';

/**
 * Three real members, with what faults of every kind need of them. Implemented in `real-chaos-cluster.ts` over
 * `test/support/etcd-cluster.ts`. Whatever is asked of the members settles through elections, within a bound.
 */
export interface ChaosCluster {
  readonly members: readonly EtcdMember[];
  readonly has: ReadonlySet<ClusterFeature>;
  /** What was wanted and cannot be had here, each with its reason in a whole sentence. */
  readonly lacks: readonly string[];
  /** PEM file of the authority, for clients; null without TLS. Stays good for the whole run. */
  readonly caFile: string | null;
  /** Whom the workers log in as, and the run itself, which may do everything; null without `auth`. */
  readonly users: { readonly worker: EtcdUser; readonly root: EtcdUser } | null;
  /** How long a token lives that nobody uses; null unless it has `token-expiry`. */
  readonly tokenTtlMs: number | null;
  /** The run's raw watch must not be compacted away: no compaction goes beyond what it has seen. */
  compactionLimit: (() => bigint) | null;
  /** Up to where it was compacted, or was asked to be, time by time. */
  readonly compactions: readonly Compaction[];
  leader(timeoutMs?: number): Promise<EtcdMember>;
  followers(): Promise<EtcdMember[]>;
  moveLeader(to: EtcdMember): Promise<void>;
  /** Compacts up to now, but not beyond {@link compactionLimit}; answers with the revision. */
  compact(): Promise<bigint>;
  defragment(member: EtcdMember): Promise<void>;
  /** Removes a member and puts a new one with empty data in its place, at the same addresses for clients. */
  replace(member: EtcdMember): Promise<void>;
  /** Fills the database until the alarm is raised; the cure is compaction, defragmentation and disarming. */
  fillQuota(): Promise<void>;
  cureQuota(): Promise<void>;
  /** Fills the small disk that a member's data is on until it dies of it; the cure frees it and starts it again. */
  fillDisk(member: EtcdMember): Promise<void>;
  cureDisk(member: EtcdMember): Promise<void>;
  /**
   * Another certificate of the same authority, good or past its end, for all members. It counts for connections
   * to come: those of the workers are the caller's to reset.
   */
  renewCertificates(kind: 'good' | 'expired'): Promise<void>;
  /** Makes every token of the workers' user worthless, by setting its password to what it was. */
  voidTokens(): Promise<void>;
  /** Nothing between this member and the others; clients still reach it. */
  isolate(member: EtcdMember): void;
  rejoin(member: EtcdMember): Promise<void>;
  /** Whatever was done to it is undone: all three run, are one cluster, and take writes. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}
