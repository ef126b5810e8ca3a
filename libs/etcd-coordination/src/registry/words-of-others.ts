import type { EtcdClient } from '../client/etcd-client.js';
import { parseRegistryRest, registryPrefix, verdictPrefix } from '../client/keys.js';
import { LastingView } from '../watch/lasting-view.js';
import { PrefixView } from '../watch/prefix-view.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { HealthWord } from './service-instance.js';
import { decodeVerdictRecord } from './verdict-record.js';

/** What probers and marks say of one instance, kept current by a watch of their verdicts. */
export class WordsOfOthers {
  private readonly prefix: string;
  private readonly view: LastingView<PrefixView>;

  constructor(client: EtcdClient, hub: WatchHub, namespace: string, service: string, id: string) {
    this.prefix = registryPrefix(namespace, service);
    const verdicts = verdictPrefix(namespace, service, id);
    const open = () => new PrefixView(client, hub, verdicts);
    this.view = new LastingView(
      client.clock,
      'ServiceRegistry',
      `what others say under ${verdicts}`,
      open,
    );
  }

  /** In the order of their sources; none before they are listed; the last known while etcd refuses to show them. */
  get all(): HealthWord[] {
    const words = [...this.view.current.entries].flatMap(([key, { value }]) => {
      const id = parseRegistryRest(key.slice(this.prefix.length));
      const verdict = decodeVerdictRecord(value);
      if (id?.kind !== 'verdict' || !verdict) return [];
      const { state, by, reason } = verdict;
      return [{ state, source: id.source, by, reason }];
    });
    return words.sort((a, b) => (a.source < b.source ? -1 : 1));
  }

  close(): void {
    this.view.close();
  }
}
