import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { VALUES } from '../watch/held-key.js';
import { singleKey } from '../watch/key-range.js';
import { LastingView } from '../watch/lasting-view.js';
import { RangeView } from '../watch/range-view.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { InstanceEntry } from './instance-entry.js';

/** What a watch shows of a registration's own key, held against what the registration knows of it. */
export class OwnKeyView {
  private readonly view: LastingView<RangeView<IKeyValue>>;
  /** Of which database the entry's knowledge is, in the view's count; null if that is not known. */
  private era: number | null = 0;

  constructor(
    client: EtcdClient,
    hub: WatchHub,
    private readonly entry: InstanceEntry,
    /** Called after each change. */
    changed: () => void,
  ) {
    const { key } = entry;
    const open = () => new RangeView(client, hub, singleKey(key), key, VALUES);
    // Nobody has seen meanwhile whether the database is still the same one.
    this.view = new LastingView(
      client.clock,
      'ServiceRegistry',
      `the key ${key}`,
      open,
      () => (this.era = null),
    );
    this.view.subscribe(changed);
  }

  /** Whether the watch has seen something that the entry does not know of. */
  get doubts(): boolean {
    const { synced, revision, era, error } = this.view.current;
    if (!synced || error) return false;
    if (this.shown?.mod_revision === this.entry.revision.toString()) return false;
    // It has yet to come to what the entry has put.
    return era !== this.era || revision >= this.entry.revision;
  }

  /** What stands there, as far as the watch has told. */
  get shown(): IKeyValue | undefined {
    return this.view.current.entries.get(this.entry.key);
  }

  /** The entry is about to ask etcd itself. */
  follows(): void {
    this.era = this.view.current.era;
  }

  subscribe(listener: () => void): () => void {
    return this.view.subscribe(listener);
  }

  close(): void {
    this.view.close();
  }
}
