import type { IRequestOp, ITxnResponse } from 'etcd3';
import type { EtcdClient } from '../../client/etcd-client.js';
import { switchFlipsPrefix } from '../../client/keys.js';
import { listRange } from '../../watch/range-list.js';
import { prefixRange } from '../../watch/key-range.js';
import { decodeFlip, encode, type NewFlip } from './fleet-records.js';
import type { SwitchFlip } from './switch-status.js';

/** How many automatic flips of a switch are kept; twice as many before the older half goes. */
const KEPT = 100;

/** The automatic flips of one switch, each a key of its own: whoever writes one waits for nobody. */
export class FlipLog {
  private readonly prefix: string;

  constructor(
    private readonly client: EtcdClient,
    namespace: string,
    name: string,
  ) {
    this.prefix = switchFlipsPrefix(namespace, name);
  }

  /** The parts of a transaction that record a flip, to be sent with what it is about. May be applied twice. */
  record(flip: NewFlip): IRequestOp {
    return { request_put: { key: this.keyOf(flip.id), value: encode(flip) } };
  }

  /** The last part of such a transaction: what it shows is for {@link prune}. */
  count(): IRequestOp {
    const { key, rangeEnd } = prefixRange(this.prefix);
    return {
      request_range: {
        ...{ key, range_end: rangeEnd, keys_only: true },
        ...{ sort_target: 'Create', sort_order: 'Ascend' },
      },
    };
  }

  /** Deletes the oldest if there are too many. Never rejects: the next flip deletes them as well. */
  async prune(counted: ITxnResponse['responses'][number] | undefined): Promise<void> {
    const keys = counted?.response_range?.kvs ?? [];
    if (keys.length <= 2 * KEPT) return;
    // As many as fit into a transaction; the rest goes with the next flip.
    const oldest = keys.slice(0, KEPT).map(({ key }) => ({ request_delete_range: { key } }));
    const deletion = { compare: [], success: oldest, failure: [] };
    await this.client.txn(deletion, { repeatable: true }).catch(() => undefined);
  }

  /** What is kept, in no order. */
  async list(): Promise<SwitchFlip[]> {
    const { kvs } = await listRange(this.client, prefixRange(this.prefix), { keysOnly: false });
    return kvs.flatMap((entry) => decodeFlip(entry) ?? []);
  }

  private keyOf(id: string): Buffer {
    return Buffer.from(this.prefix + id);
  }
}
