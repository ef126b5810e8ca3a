import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { VALUES } from '../watch/held-key.js';
import { singleKey } from '../watch/key-range.js';
import { RangeView } from '../watch/range-view.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { InstanceEntry } from './instance-entry.js';

/** What a watch shows of a registration's own key, held against what the registration knows of it. */
export class OwnKeyView {
  private readonly view: RangeView<IKeyValue>;
  /** Of which database the entry's knowledge is. */
  private era = 0;

  constructor(
    client: EtcdClient,
    hub: WatchHub,
    private readonly entry: InstanceEntry,
    /** Called after each change. */
    changed: () => void,
  ) {
    this.view = new RangeView(client, hub, singleKey(entry.key), entry.key, VALUES);
    this.view.subscribe(changed);
  }

  /** Whether the watch has seen something that the entry does not know of. */
  get doubts(): boolean {
    const { synced, revision, era } = this.view;
    if (!synced || this.view.error) return false;
    if (this.shown?.mod_revision === this.entry.revision.toString()) return false;
    // It has yet to come to what the entry has put.
    return era !== this.era || revision >= this.entry.revision;
  }

  /** What stands there, as far as the watch has told. */
  get shown(): IKeyValue | undefined {
    return this.view.entries.get(this.entry.key);
  }

  /** The entry is about to ask etcd itself. */
  follows(): void {
    this.era = this.view.era;
  }

  subscribe(listener: () => void): () => void {
    return this.view.subscribe(listener);
  }

  close(): void {
    this.view.close();
  }
}
