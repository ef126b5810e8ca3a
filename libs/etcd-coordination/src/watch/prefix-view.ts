import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { VALUES } from './held-key.js';
import { prefixRange } from './key-range.js';
import { RangeView, type RangeViewOptions } from './range-view.js';
import type { WatchHub } from './watch-hub.js';

/** What stands under a prefix, values included, kept current by a watch. */
export class PrefixView extends RangeView<IKeyValue> {
  constructor(
    client: EtcdClient,
    hub: WatchHub,
    readonly prefix: string,
    options?: Pick<RangeViewOptions, 'checkIntervalMs'>,
  ) {
    super(client, hub, prefixRange(prefix), prefix, VALUES, options);
  }
}
