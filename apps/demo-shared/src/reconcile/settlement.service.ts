import { Inject, Injectable } from '@nestjs/common';
import { type Etcd3, type ITxnResponse } from 'etcd3';
import { type Fence, InjectEtcd } from 'nestjs-etcd-coordination';
import { DemoKeys } from '../data/demo-keys.js';
import type { Order, OrderLedgerEntry, StockItem } from '../data/model.js';
import type { Versioned } from '../data/versioned.js';
import { DEMO_SETTINGS, type DemoSettings } from '../settings.js';
import { decide } from './decide.js';

/**
 * What became of an order:
 * - `reconciled`, `rejected`: it was settled;
 * - `stale-epoch`: etcd refused, as the term that asked is over;
 * - `moved-on`: etcd refused, as the order or the stock changed after they were read.
 */
export type SettleOutcome = 'reconciled' | 'rejected' | 'stale-epoch' | 'moved-on';

/** Settles an order, in one transaction that only the present leader can bring about. */
@Injectable()
export class Settlement {
  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  /** Settles `order` against `stock`, both as they were read, in the term that `fence` stands for. */
  async settle(
    order: Versioned<Order>,
    stock: Versioned<StockItem> | null,
    fence: Fence,
  ): Promise<SettleOutcome> {
    const { id, sku } = order.value;
    const decision = decide(order.value, stock?.value ?? null);
    const epoch = fence.token.toString();
    const settledBy = this.settings.instanceId;
    const { status, delta, amount } = decision;
    const reason = status === 'rejected' ? decision.reason : undefined;
    const settled: Order = { ...order.value, status, reason, epoch, settledBy };
    const entry: OrderLedgerEntry = {
      kind: 'order',
      sku,
      delta,
      amount,
      orderId: id,
      epoch,
      settledBy,
    };
    const writes = [
      this.etcd.put(order.key).value(JSON.stringify(settled)),
      this.etcd.put(this.keys.orderLedger(sku, id)).value(JSON.stringify(entry)),
      this.etcd.delete().key(this.keys.pendingOrder(id)),
    ];
    if (stock && delta !== 0) {
      const left: StockItem = { ...stock.value, onHand: stock.value.onHand + delta };
      writes.push(this.etcd.put(stock.key).value(JSON.stringify(left)));
    }
    const answer = await this.etcd
      .if(fence.key, 'Create', '==', epoch)
      .and(order.key, 'Mod', '==', order.modRevision)
      .and(this.keys.stockOf(sku), 'Mod', '==', stock?.modRevision ?? '0')
      .and(this.keys.orderLedger(sku, id), 'Create', '==', '0')
      .then(...writes)
      .else(this.etcd.get(fence.key))
      .commit();
    if (answer.succeeded) return status;
    return holds(answer, epoch) ? 'moved-on' : 'stale-epoch';
  }
}

/** Whether the refused transaction saw the term's key as it was when the term began. */
function holds(answer: ITxnResponse, epoch: string): boolean {
  return answer.responses[0]?.response_range.kvs[0]?.create_revision === epoch;
}
