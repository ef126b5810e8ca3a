import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Etcd3 } from 'etcd3';
import { currentTerm, InjectEtcd, Leader, type LeaderTerm } from 'nestjs-etcd-coordination';
import { DemoKeys, RECONCILER } from '../data/demo-keys.js';
import type { Order, StockItem } from '../data/model.js';
import { listVersioned, readVersioned } from '../data/versioned.js';
import { DemoFreeze } from './freeze.service.js';
import { Settlement } from './settlement.service.js';

const EVERY_MS = 200;
const ORDERS_A_RUN = 100;

/**
 * Settles pending orders against stock. Every process of both services runs this interval, and
 * `@Leader` lets it pass in one of them.
 */
@Injectable()
export class Reconciler {
  private readonly logger = new Logger(Reconciler.name);
  private running = false;

  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
    private readonly settlement: Settlement,
    private readonly freeze: DemoFreeze,
  ) {}

  @Interval(EVERY_MS)
  @Leader(RECONCILER)
  async reconcile(): Promise<void> {
    const term = currentTerm();
    if (!term || this.running) return;
    this.running = true;
    try {
      await this.run(term);
    } catch (error) {
      // Whatever was not settled is still pending, and the next run finds it.
      this.logger.warn(`A run of the reconciler failed and will be repeated: ${String(error)}`);
    } finally {
      this.running = false;
    }
  }

  private async run(term: LeaderTerm): Promise<void> {
    const pending = await listVersioned(this.etcd, this.keys.pending, ORDERS_A_RUN);
    const counts = { reconciled: 0, rejected: 0, 'moved-on': 0 };
    for (const { key } of pending) {
      // Asks the clock, so a process that was frozen stops here too.
      if (term.signal.aborted) break;
      const outcome = await this.settleOne(key.slice(this.keys.pending.length), term);
      if (outcome === 'stale-epoch') {
        this.logger.warn(
          `Epoch ${term.epoch} is over: etcd refused its write, and nothing changed.`,
        );
        break;
      }
      counts[outcome] += 1;
    }
    if (counts.reconciled + counts.rejected === 0) return;
    this.logger.log(
      `Epoch ${term.epoch}: ${counts.reconciled} orders reconciled, ${counts.rejected} rejected.`,
    );
  }

  private async settleOne(orderId: string, term: LeaderTerm) {
    const order = await readVersioned<Order>(this.etcd, this.keys.order(orderId));
    if (order?.value.status !== 'pending') return 'moved-on';
    const stock = await readVersioned<StockItem>(this.etcd, this.keys.stockOf(order.value.sku));
    return this.freeze.around(term, orderId, () =>
      this.settlement.settle(order, stock, term.fence),
    );
  }
}
