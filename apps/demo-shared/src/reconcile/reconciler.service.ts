import { Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Etcd3 } from 'etcd3';
import {
  currentTerm,
  InjectEtcd,
  Leader,
  type LeaderTerm,
  WatchConfig,
} from 'nestjs-etcd-coordination';
import {
  RECONCILER_OPTIONS,
  RECONCILER_SETTINGS,
  type ReconcilerSettings,
} from '../config/reconciler.config.js';
import { DemoKeys, RECONCILER } from '../data/demo-keys.js';
import type { Order, StockItem } from '../data/model.js';
import { listVersioned, readVersioned } from '../data/versioned.js';
import { DemoFreeze } from './freeze.service.js';
import { Settlement } from './settlement.service.js';

/** How often it is looked whether a run is due: the least that `everyMs` can be. */
const TICK_MS = 50;

/**
 * Settles pending orders against stock. Every process of both services runs this interval, and
 * `@Leader` lets it pass in one of them. Its settings are read at every run, so a change of them
 * needs no restart.
 */
@Injectable()
export class Reconciler {
  private readonly logger = new Logger(Reconciler.name);
  private running = false;
  private lastRun = -Infinity;

  @WatchConfig(RECONCILER_SETTINGS, RECONCILER_OPTIONS)
  private readonly settings!: ReconcilerSettings;

  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
    private readonly settlement: Settlement,
    private readonly freeze: DemoFreeze,
  ) {}

  @Interval(TICK_MS)
  @Leader(RECONCILER)
  async reconcile(): Promise<void> {
    const term = currentTerm();
    if (!term || this.running || !this.isDue()) return;
    this.running = true;
    this.lastRun = performance.now();
    try {
      await this.run(term);
    } catch (error) {
      // Whatever was not settled is still pending, and the next run finds it.
      this.logger.warn(`A run of the reconciler failed and will be repeated: ${String(error)}`);
    } finally {
      this.running = false;
    }
  }

  private isDue(): boolean {
    const { paused, everyMs } = this.settings;
    return !paused && performance.now() - this.lastRun >= everyMs;
  }

  private async run(term: LeaderTerm): Promise<void> {
    const { ordersARun } = this.settings;
    const pending = await listVersioned(this.etcd, this.keys.pending, ordersARun);
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
