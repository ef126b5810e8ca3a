import { Injectable } from '@nestjs/common';
import { WriteBatcher, type WriteBatcherStats } from 'nestjs-etcd-coordination';
import { DemoKeys } from '../../demo-shared/src/data/demo-keys.js';
import type { Order, TrailRecord } from '../../demo-shared/src/data/model.js';

/**
 * Leaves a record of each order that is taken: who took it, when, at which price. The records of orders
 * that come together go to etcd in one transaction.
 *
 * A shop that cannot say who took an order has not taken it: so the record is waited for before the
 * customer is answered, and one whose order has none yet hears of an error and comes again.
 */
@Injectable()
export class OrderTrail {
  constructor(
    private readonly batcher: WriteBatcher,
    private readonly keys: DemoKeys,
  ) {}

  /**
   * Puts the record of an order, or the same one again: it is made of the order alone. Rejects as
   * `WriteBatcher.put` does.
   */
  async put({ id: orderId, sku, quantity, price, takenBy, takenAt }: Order): Promise<void> {
    const record: TrailRecord = { orderId, sku, quantity, price, takenBy, takenAt };
    const key = this.keys.inNamespace(this.keys.trailOf(orderId));
    await this.batcher.put(key, JSON.stringify(record));
  }

  /** How many records went in how many transactions; nothing else of this process is batched. */
  get stats(): WriteBatcherStats {
    return this.batcher.stats;
  }
}
