import { newestRevision, type RawDocument } from '../config-evaluator.js';
import type { SnapshotState } from './config-snapshot.js';

/** What etcd holds of a configuration. */
export interface HeldState {
  readonly documents: readonly RawDocument[];
  readonly clusterId: string | null;
  /** The revision of the whole database. */
  readonly revision: bigint;
}

/**
 * Why a snapshot cannot be an earlier state of what etcd holds, to complete "The snapshot …"; null if it can.
 * Revisions only grow, unless the database was restored from a backup or is another one.
 */
export function doubtOf(saved: SnapshotState, held: HeldState): string | null {
  if (saved.clusterId !== null && held.clusterId !== null && saved.clusterId !== held.clusterId) {
    return 'is of another etcd cluster; what this one holds is taken.';
  }
  const newest = newestRevision(saved.documents);
  const wentBack = held.documents.some((document) => {
    const then = saved.documents.find(({ layer }) => layer === document.layer);
    return then && then.revision > document.revision;
  });
  if (newest <= held.revision && !wentBack) return null;
  return `is of revision ${newest}, and etcd, at ${held.revision}, knows nothing of it: its database was restored from a backup. What etcd holds is taken.`;
}
