import { randomBytes } from 'node:crypto';
import type { EtcdClient } from '../client/etcd-client.js';
import { namePrefix } from '../client/keys.js';
import { prefixRange } from '../watch/key-range.js';
import { CommitMark } from './commit-mark.js';

/**
 * The marks of one process: as many as it has had transactions at once. Their keys are
 * `<namespace>/transaction/<random name of the process>/<number>`.
 */
export class CommitMarks {
  private readonly prefix: string;
  private readonly free: CommitMark[] = [];
  private count = 0;

  constructor(
    private readonly client: EtcdClient,
    namespace: string,
  ) {
    this.prefix = namePrefix(namespace, 'transaction', randomBytes(9).toString('base64url'));
  }

  /** A mark for one transaction, until it is given back. */
  take(): CommitMark {
    const mark = this.free.pop() ?? this.make();
    mark.begin();
    return mark;
  }

  giveBack(mark: CommitMark): void {
    if (mark.isUsable) this.free.push(mark);
  }

  /** Deletes what is left of them. */
  async clear(): Promise<void> {
    if (this.count === 0) return;
    const { key, rangeEnd } = prefixRange(this.prefix);
    const all = { request_delete_range: { key, range_end: rangeEnd! } };
    await this.client.txn({ compare: [], success: [all], failure: [] }, { repeatable: true });
  }

  private make(): CommitMark {
    return new CommitMark(this.client, Buffer.from(`${this.prefix}${(this.count += 1)}`));
  }
}
