import type { IKeyValue } from 'etcd3';
import { LOCK_HOLD_SEGMENT, parseLockEntry } from '../client/keys.js';

/** One key in the queue of a lock or a semaphore. */
export interface QueueEntry {
  readonly kv: IKeyValue;
  readonly key: string;
  /** Whether others may hold the lock beside it. */
  readonly shared: boolean;
  /**
   * Whether it is no longer on the lease that it is named for, because somebody put something over
   * it. It would outlive its process, and holds the others up until it is deleted.
   */
  readonly orphan: boolean;
}

/** Which of those who stand in a queue have what it is for: the first so many, by their order. */
export type GrantRule = (entries: readonly QueueEntry[]) => number;

/** Of a lock: its first writer, or all readers before it. */
export const lockRule: GrantRule = (entries) => {
  if (entries[0] && !entries[0].shared) return 1;
  const writer = entries.findIndex((entry) => !entry.shared);
  return writer < 0 ? entries.length : writer;
};

/** Of a semaphore: as many as there are permits. */
export const permitsRule =
  (permits: number): GrantRule =>
  (entries) =>
    Math.min(permits, entries.length);

/** Reads a key under a queue's prefix: an entry, the key that holds everybody up, or a stranger's. */
export function readQueueKey(prefix: string, kv: IKeyValue): QueueEntry | 'hold' | null {
  const key = kv.key.toString();
  const rest = key.slice(prefix.length);
  if (rest === LOCK_HOLD_SEGMENT) return 'hold';
  const id = parseLockEntry(rest);
  return id && { kv, key, shared: id.shared, orphan: id.leaseId !== BigInt(kv.lease) };
}

/**
 * The order in which they came. Decimals without leading zeros: the longer one is larger. What was
 * put by one transaction of somebody else's must be seen in one order by all.
 */
export function byCreateRevision(a: QueueEntry, b: QueueEntry): number {
  const [x, y] = [a.kv.create_revision, b.kv.create_revision];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : a.key < b.key ? -1 : 1);
}

/** Who stands in a queue, in their order, and whether nobody may have it yet. */
export function readQueue(
  prefix: string,
  kvs: readonly IKeyValue[],
): { entries: QueueEntry[]; held: boolean } {
  const keys = kvs.map((kv) => readQueueKey(prefix, kv));
  const entries = keys.filter((key): key is QueueEntry => key !== null && key !== 'hold');
  return { entries: entries.sort(byCreateRevision), held: keys.includes('hold') };
}

/** How many, from the first on, have what the queue is for. Nobody does behind an orphan, or while it is held. */
export function countGranted(
  entries: readonly QueueEntry[],
  held: boolean,
  rule: GrantRule,
): number {
  if (held) return 0;
  const granted = rule(entries);
  for (let i = 0; i < granted; i++) if (entries[i]!.orphan) return i;
  return granted;
}
