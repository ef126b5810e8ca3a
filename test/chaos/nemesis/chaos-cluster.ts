import type { EtcdMember } from '../../support/etcd-cluster.js';

/**
 * Three real members, with what faults of every kind need of them. Implemented in `real-chaos-cluster.ts` over
 * `test/support/etcd-cluster.ts`.
 */
export interface ChaosCluster {
  readonly members: readonly EtcdMember[];
  readonly has: ReadonlySet<'auth' | 'tls' | 'token-expiry' | 'small-disk' | 'peer-proxies'>;
  /** PEM file of the authority, for clients; null without TLS. */
  readonly caFile: string | null;
  leader(timeoutMs?: number): Promise<EtcdMember>;
  followers(): Promise<EtcdMember[]>;
  moveLeader(to: EtcdMember): Promise<void>;
  /** Compacts up to a revision that everybody outside of the run's own raw watch may have missed. */
  compact(): Promise<bigint>;
  /** Every revision that was compacted to, by whatever fault or cure; goes into the evidence. */
  readonly compactions: readonly bigint[];
  defragment(member: EtcdMember): Promise<void>;
  /** Removes a member and puts a new one with empty data in its place, at the same addresses for clients. */
  replace(member: EtcdMember): Promise<void>;
  /** Fills the database until the alarm is raised; the cure is compaction, defragmentation and disarming. */
  fillQuota(): Promise<void>;
  cureQuota(): Promise<void>;
  /** Fills the small disk that a member's data is on until it dies of it; the cure frees it and starts it again. */
  fillDisk(member: EtcdMember): Promise<void>;
  cureDisk(member: EtcdMember): Promise<void>;
  /** New certificates of the same authority (good, or past their end) for each member, and connections reset. */
  renewCertificates(kind: 'good' | 'expired'): Promise<void>;
  /** Nothing between this member and the others; clients still reach it. */
  isolate(member: EtcdMember): void;
  rejoin(member: EtcdMember): Promise<void>;
  heal(): Promise<void>;
  stop(): Promise<void>;
}
