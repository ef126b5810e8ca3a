import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { PrefixView } from '../watch/prefix-view.js';
import type { RangeChange } from '../watch/range-change.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { byCreateRevision, readQueueKey, type QueueEntry } from './queue-entry.js';

/**
 * Who holds a lock and who waits for it, as a standing watch tells them. It is all that one who
 * waits needs to know that its turn has come and that its own key is alive, so nobody makes a
 * call at a hand-over.
 */
export class QueueView {
  private readonly view: PrefixView;
  private readonly logger = new Logger(QueueView.name);
  private readonly strangers = new Set<string>();
  private sorted: QueueEntry[] = [];
  private held = false;

  constructor(
    client: EtcdClient,
    hub: WatchHub,
    readonly prefix: string,
    /** Called after each change, and once it is synced or refused; with the keys that it is about, or null for all. */
    changed: (keys: ReadonlySet<string> | null) => void,
  ) {
    this.view = new PrefixView(client, hub, prefix);
    let touched: Set<string> | null = new Set();
    this.view.follow(({ changes, resync, listed }) => {
      // The list that the view began with holds them.
      if (listed) return;
      if (resync) touched = null;
      for (const change of changes) {
        touched?.add(change.key);
        this.apply(change);
      }
    });
    let told = false;
    this.view.subscribe(() => {
      if (!told && this.view.synced) {
        told = true;
        touched = null;
        this.rebuild();
      }
      const keys = touched;
      touched = new Set();
      changed(keys);
    });
  }

  get synced(): boolean {
    return this.view.synced;
  }

  /** Why etcd refuses to show the queue, if it does. Final: ask with a new view. */
  get error(): EtcdCoordinationError | null {
    return this.view.error;
  }

  /** The newest revision that it is known to reflect. */
  get revision(): bigint {
    return this.view.revision;
  }

  /** Changes when etcd's database is restored from a backup: revisions begin anew then. */
  get era(): number {
    return this.view.era;
  }

  /** Those who hold it and those who wait, in the order in which they came. */
  get entries(): readonly QueueEntry[] {
    return this.sorted;
  }

  /** Whether nobody may get it yet, see `holdAtLeastMs`. */
  get isHeld(): boolean {
    return this.held;
  }

  /** What stands under a key, if it is an entry and on its own lease. */
  standing(key: string): IKeyValue | null {
    const kv = this.view.entries.get(key);
    if (!kv) return null;
    const entry = readQueueKey(this.prefix, kv);
    return entry && entry !== 'hold' && !entry.orphan ? kv : null;
  }

  close(): void {
    this.view.close();
  }

  private rebuild(): void {
    this.sorted = [];
    this.held = false;
    for (const kv of this.view.entries.values()) this.add(kv);
    this.sorted.sort(byCreateRevision);
  }

  private apply({ type, key, kv, previous }: RangeChange<IKeyValue>): void {
    if (previous) {
      if (readQueueKey(this.prefix, previous) === 'hold') this.held = false;
      const at = this.sorted.findIndex((entry) => entry.key === key);
      if (at >= 0) this.sorted.splice(at, 1);
    }
    if (type === 'put' && this.add(kv)) this.sift();
  }

  private add(kv: IKeyValue): boolean {
    const entry = readQueueKey(this.prefix, kv);
    if (entry === 'hold') this.held = true;
    else if (entry) this.sorted.push(entry);
    else this.warnOf(kv);
    return entry !== null && entry !== 'hold';
  }

  /** Brings the last one to its place, which is nearly always where it is. */
  private sift(): void {
    const entries = this.sorted;
    for (let i = entries.length - 1; i > 0; i--) {
      const [before, entry] = [entries[i - 1]!, entries[i]!];
      if (byCreateRevision(before, entry) < 0) return;
      [entries[i - 1], entries[i]] = [entry, before];
    }
  }

  /** Such a key was put by hand, and somebody may take it for a holder's. */
  private warnOf({ key }: IKeyValue): void {
    const name = key.toString();
    if (this.strangers.has(name)) return;
    this.strangers.add(name);
    this.logger.warn(
      `The key ${name} is nobody's who holds a lock or waits for one; it has no part in the lock and can be deleted.`,
    );
  }
}
