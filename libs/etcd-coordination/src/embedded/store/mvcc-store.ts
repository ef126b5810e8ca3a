import { EtcdStatus } from '../etcd-status.js';
import { ChangeLog } from './change-log.js';
import { KeyHistory } from './key-history.js';
import type { KeyRange } from './key-range.js';
import { type Change, type Key, type KeyValue, type LeaseId } from './key-value.js';
import { SortedKeys } from './sorted-keys.js';
import { WriteTransaction } from './write-transaction.js';

export interface ReadOptions {
  /** The revision to read at; 0 or less is the present. */
  readonly revision: number;
  /** The most keys to give; 0 or less is no limit. */
  readonly limit: number;
  readonly countOnly: boolean;
}

export interface ReadResult {
  readonly kvs: KeyValue[];
  /** How many keys the range holds, whatever the limit. */
  readonly count: number;
  /** The store's revision at the time of the read. */
  readonly revision: number;
}

/** Is told which lease each key hangs on. */
export interface LeaseAttachments {
  reattach(key: Key, from: LeaseId, to: LeaseId): void;
}

/** Is told of each finished revision, before the write is answered. */
export type CommitListener = (revision: number, changes: readonly Change[]) => void;

export const LATEST: ReadOptions = { revision: 0, limit: 0, countOnly: false };

/**
 * A multi-version key-value store in memory, with etcd's revisions. It knows
 * neither time nor network, and each of its methods is done when it returns.
 */
export class MvccStore {
  private readonly keys = new SortedKeys();
  private readonly histories = new Map<Key, KeyHistory>();
  private readonly log = new ChangeLog();
  private readonly listeners: CommitListener[] = [];
  private current = 1;
  private compacted = -1;

  constructor(private readonly attachments: LeaseAttachments) {}

  /** The revision of the last write. An empty etcd is at 1. */
  get revision(): number {
    return this.current;
  }

  /** History before this revision is gone; -1 where nothing was ever compacted. */
  get compactRevision(): number {
    return this.compacted;
  }

  onCommit(listener: CommitListener): void {
    this.listeners.push(listener);
  }

  /** Reads a range as of the last write. */
  read(range: KeyRange, options: ReadOptions = LATEST): ReadResult {
    return this.readAsOf(this.current, range, options);
  }

  /**
   * Runs `work` as one write: whatever it changes has one revision. It must not
   * throw, as there is no way back; check first, as etcd does.
   */
  write<T>(work: (transaction: WriteTransaction) => T): T {
    const transaction = new WriteTransaction(this.current, {
      read: (asOf, range, options) => this.readAsOf(asOf, range, options),
      history: (key) => this.histories.get(key),
      createHistory: (key) => this.createHistory(key),
      attachments: this.attachments,
    });
    const result = work(transaction);
    const { changes } = transaction;
    if (changes.length > 0) {
      this.current++;
      this.log.append(changes);
      for (const listener of this.listeners) listener(this.current, changes);
    }
    return result;
  }

  /** One key as it stood at `revision`; null too where that is compacted. */
  keyAt(key: Key, revision: number): KeyValue | null {
    if (revision < this.compacted) return null;
    return this.histories.get(key)?.at(revision) ?? null;
  }

  /** The changes from `revision` on, which must not be compacted. */
  changesSince(revision: number): Iterable<Change> {
    return this.log.since(revision);
  }

  /** @throws EtcdStatus if `revision` is compacted already or in the future. */
  compact(revision: number): void {
    if (revision <= this.compacted) throw EtcdStatus.compacted();
    if (revision > this.current) throw EtcdStatus.futureRevision();
    this.compacted = revision;
    this.log.compact(revision);
    const empty: Key[] = [];
    for (const key of this.keys) {
      const history = this.histories.get(key)!;
      history.compact(revision);
      if (history.isEmpty) empty.push(key);
    }
    for (const key of empty) {
      this.keys.remove(key);
      this.histories.delete(key);
    }
  }

  private readAsOf(asOf: number, range: KeyRange, options: ReadOptions): ReadResult {
    if (options.revision > asOf) throw EtcdStatus.futureRevision();
    const at = options.revision <= 0 ? asOf : options.revision;
    if (at < this.compacted) throw EtcdStatus.compacted();
    const limit = options.limit <= 0 ? Infinity : options.limit;
    const kvs: KeyValue[] = [];
    let count = 0;
    for (const key of range.to === null ? [range.from] : this.keys.within(range)) {
      const kv = this.histories.get(key)?.at(at);
      if (!kv) continue;
      count++;
      if (!options.countOnly && kvs.length < limit) kvs.push(kv);
    }
    return { kvs, count, revision: asOf };
  }

  private createHistory(key: Key): KeyHistory {
    const history = new KeyHistory();
    this.histories.set(key, history);
    this.keys.add(key);
    return history;
  }
}
