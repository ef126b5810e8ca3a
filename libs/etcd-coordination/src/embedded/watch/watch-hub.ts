import { rangeContains } from '../store/key-range.js';
import type { Change, Key } from '../store/key-value.js';
import type { MvccStore } from '../store/mvcc-store.js';
import type { Watcher } from './watcher.js';

/** The most revisions that a lagging watcher is told of at once, as in etcd. */
const MAX_REVISIONS_PER_BATCH = 1000;

/** Tells watchers what is written, and those that lag what was written. */
export class WatchHub {
  /** The synced watchers of one key, by that key, and those of more than one. */
  private readonly ofKey = new Map<Key, Set<Watcher>>();
  private readonly ofRange = new Set<Watcher>();
  private readonly lagging = new Set<Watcher>();
  private pump: NodeJS.Immediate | undefined;

  constructor(private readonly store: MvccStore) {
    store.onCommit((revision, changes) => this.committed(revision, changes));
  }

  add(watcher: Watcher): void {
    const { revision } = this.store;
    if (watcher.startRevision === 0 || watcher.startRevision > revision) {
      watcher.nextRevision = Math.max(watcher.startRevision, revision + 1);
      this.sync(watcher);
    } else {
      this.lag(watcher);
    }
  }

  remove(watcher: Watcher): void {
    this.unsync(watcher);
    this.lagging.delete(watcher);
    watcher.state = 'cancelled';
  }

  /** Goes on with the watchers that lag because their client was slow. */
  resume(): void {
    if (this.lagging.size > 0) this.schedule();
  }

  close(): void {
    if (this.pump) clearImmediate(this.pump);
    this.pump = undefined;
  }

  private committed(revision: number, changes: readonly Change[]): void {
    const batches = new Map<Watcher, Change[]>();
    for (const change of changes) {
      for (const watcher of this.watching(change.kv.key)) {
        if (watcher.nextRevision > revision) continue;
        const batch = batches.get(watcher);
        if (batch) batch.push(change);
        else batches.set(watcher, [change]);
      }
    }
    for (const [watcher, batch] of batches) {
      watcher.nextRevision = revision;
      if (!watcher.sink.isWritable) {
        this.unsync(watcher);
        this.lag(watcher);
        continue;
      }
      watcher.nextRevision = revision + 1;
      watcher.sink.changed(watcher, { changes: batch, revision });
    }
  }

  private *watching(key: Key): Generator<Watcher> {
    yield* this.ofKey.get(key) ?? [];
    for (const watcher of this.ofRange) if (rangeContains(watcher.range, key)) yield watcher;
  }

  /** One turn of the event loop for each batch of each lagging watcher, so that writes go on. */
  private schedule(): void {
    this.pump ??= setImmediate(() => {
      this.pump = undefined;
      for (const watcher of this.lagging) if (watcher.sink.isWritable) this.catchUp(watcher);
      for (const watcher of this.lagging) if (watcher.sink.isWritable) return this.schedule();
    });
  }

  private catchUp(watcher: Watcher): void {
    const { revision, compactRevision } = this.store;
    if (watcher.nextRevision < compactRevision) {
      this.lagging.delete(watcher);
      watcher.state = 'compacted';
      watcher.sink.compacted(watcher, compactRevision);
      return;
    }
    const changes: Change[] = [];
    let revisions = 0;
    let last = 0;
    for (const change of this.store.changesSince(watcher.nextRevision)) {
      if (!rangeContains(watcher.range, change.kv.key)) continue;
      if (change.kv.modRevision > last) {
        if (revisions === MAX_REVISIONS_PER_BATCH) {
          watcher.nextRevision = change.kv.modRevision;
          watcher.sink.changed(watcher, { changes, revision });
          return;
        }
        last = change.kv.modRevision;
        revisions++;
      }
      changes.push(change);
    }
    watcher.nextRevision = revision + 1;
    this.lagging.delete(watcher);
    this.sync(watcher);
    if (changes.length > 0) watcher.sink.changed(watcher, { changes, revision });
  }

  private lag(watcher: Watcher): void {
    watcher.state = 'lagging';
    this.lagging.add(watcher);
    this.schedule();
  }

  private sync(watcher: Watcher): void {
    watcher.state = 'synced';
    if (watcher.range.to !== null) {
      this.ofRange.add(watcher);
      return;
    }
    const key = watcher.range.from;
    const others = this.ofKey.get(key);
    if (others) others.add(watcher);
    else this.ofKey.set(key, new Set([watcher]));
  }

  private unsync(watcher: Watcher): void {
    this.ofRange.delete(watcher);
    const others = this.ofKey.get(watcher.range.from);
    others?.delete(watcher);
    if (others?.size === 0) this.ofKey.delete(watcher.range.from);
  }
}
