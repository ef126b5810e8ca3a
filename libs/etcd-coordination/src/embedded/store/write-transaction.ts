import type { KeyHistory } from './key-history.js';
import type { KeyRange } from './key-range.js';
import { type Change, type Key, type LeaseId, NO_LEASE, deleted } from './key-value.js';
import type { LeaseAttachments, ReadOptions, ReadResult } from './mvcc-store.js';

/** What a transaction may touch of the store. */
export interface TransactionStore {
  read(asOf: number, range: KeyRange, options: ReadOptions): ReadResult;
  history(key: Key): KeyHistory | undefined;
  createHistory(key: Key): KeyHistory;
  readonly attachments: LeaseAttachments;
}

/** One write to the store: all its changes share the revision after `beginRevision`. */
export class WriteTransaction {
  private readonly made: Change[] = [];

  constructor(
    /** The revision before this write. */
    readonly beginRevision: number,
    private readonly store: TransactionStore,
  ) {}

  get changes(): readonly Change[] {
    return this.made;
  }

  /** The revision as it stands: one more once anything was changed. */
  get revision(): number {
    return this.made.length > 0 ? this.beginRevision + 1 : this.beginRevision;
  }

  /** Reads what stood before, and what this transaction has done so far. */
  read(range: KeyRange, options: ReadOptions): ReadResult {
    return this.store.read(this.revision, range, options);
  }

  /** Writes a key. Returns the revision of the write. */
  put(key: Key, value: Buffer, lease: LeaseId): number {
    const revision = this.beginRevision + 1;
    const history = this.store.history(key) ?? this.store.createHistory(key);
    const previous = history.latest;
    const kv = {
      key,
      value,
      createRevision: previous?.createRevision ?? revision,
      modRevision: revision,
      version: (previous?.version ?? 0) + 1,
      lease,
    };
    history.put(kv);
    this.made.push({ type: 'put', kv });
    this.store.attachments.reattach(key, previous?.lease ?? NO_LEASE, lease);
    return revision;
  }

  /** Deletes what stands in a range. Returns how many keys that were. */
  deleteRange(range: KeyRange): number {
    const { kvs } = this.read(range, { revision: 0, limit: 0, countOnly: false });
    const revision = this.beginRevision + 1;
    for (const { key, lease } of kvs) {
      this.store.history(key)!.delete(revision);
      this.made.push({ type: 'delete', kv: deleted(key, revision) });
      this.store.attachments.reattach(key, lease, NO_LEASE);
    }
    return kvs.length;
  }
}
