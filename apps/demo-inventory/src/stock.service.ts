import { randomUUID } from 'node:crypto';
import { Injectable, ServiceUnavailableException } from '@nestjs/common';
import type { Etcd3 } from 'etcd3';
import { InjectEtcd } from 'nestjs-etcd-coordination';
import { DemoKeys } from '../../demo-shared/src/data/demo-keys.js';
import type { StockItem, StockLedgerEntry } from '../../demo-shared/src/data/model.js';
import { listVersioned, readVersioned } from '../../demo-shared/src/data/versioned.js';

/** The reconciler may take from the same stock at the same moment. */
const ATTEMPTS = 20;

/** Keeps the stock in etcd, and a ledger entry for each change. */
@Injectable()
export class StockService {
  constructor(
    @InjectEtcd() private readonly etcd: Etcd3,
    private readonly keys: DemoKeys,
  ) {}

  /** Sets what is on hand, as after counting or a delivery. */
  async set(sku: string, onHand: number): Promise<StockItem> {
    const key = this.keys.stockOf(sku);
    const item: StockItem = { sku, onHand };
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const before = await readVersioned<StockItem>(this.etcd, key);
      const delta = onHand - (before?.value.onHand ?? 0);
      const entry: StockLedgerEntry = { kind: 'stock', sku, delta };
      const answer = await this.etcd
        .if(key, 'Mod', '==', before?.modRevision ?? '0')
        .then(
          this.etcd.put(key).value(JSON.stringify(item)),
          this.etcd.put(this.keys.stockLedger(sku, randomUUID())).value(JSON.stringify(entry)),
        )
        .commit();
      if (answer.succeeded) return item;
    }
    throw new ServiceUnavailableException(
      `The stock of ${sku} changed ${ATTEMPTS} times while it was to be set. Try again.`,
    );
  }

  async find(sku: string): Promise<StockItem | null> {
    return (await readVersioned<StockItem>(this.etcd, this.keys.stockOf(sku)))?.value ?? null;
  }

  async list(): Promise<StockItem[]> {
    const items = await listVersioned<StockItem>(this.etcd, this.keys.stock);
    return items.map(({ value }) => value);
  }
}
