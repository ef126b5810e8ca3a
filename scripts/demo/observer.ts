import { type INestApplicationContext, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Etcd3 } from 'etcd3';
import {
  type Candidate,
  ConfigReleases,
  ConfigStore,
  ElectionService,
  EtcdCoordinationModule,
  InjectEtcd,
  type Leadership,
  Switches,
} from 'nestjs-etcd-coordination';
import type { Subscription } from 'rxjs';
import { RECOMMENDATIONS } from '../../apps/demo-orders/src/traffic.js';
import { audit, type AuditReport } from '../../apps/demo-shared/src/audit/audit.js';
import { readBooks } from '../../apps/demo-shared/src/audit/read-books.js';
import { DemoKeys, RECONCILER } from '../../apps/demo-shared/src/data/demo-keys.js';
import type { Order, TrailRecord } from '../../apps/demo-shared/src/data/model.js';

@Injectable()
class RawEtcd {
  constructor(@InjectEtcd() readonly etcd: Etcd3) {}
}

/** A change of leadership, and when this process heard of it. */
export interface SeenLeadership {
  readonly leadership: Leadership;
  /** By `performance.now()`. */
  readonly at: number;
}

type Listener = (seen: SeenLeadership) => void;

/**
 * Watches the demo from outside, as any Nest application could: it observes the election
 * without standing in it, and reads the books from etcd.
 */
export class Observer {
  private readonly listeners = new Set<Listener>();
  private readonly subscription: Subscription;
  private latest: SeenLeadership | null = null;

  private constructor(
    private readonly app: INestApplicationContext,
    private readonly keys: DemoKeys,
  ) {
    this.subscription = this.elections.observe(RECONCILER).subscribe((leadership) => {
      if (!leadership || leadership.epoch === this.latest?.leadership.epoch) return;
      const seen = { leadership, at: performance.now() };
      this.latest = seen;
      for (const listener of this.listeners) listener(seen);
    });
  }

  /** @throws EtcdConnectError naming every endpoint, if etcd cannot be reached. */
  static async open(endpoints: readonly string[], prefix: string): Promise<Observer> {
    const keys = new DemoKeys(prefix);
    @Module({
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: [...endpoints],
          namespace: keys.coordination,
          instanceId: 'narrator',
          // Without a rule, by which it would have a vote.
          traffic: { switches: { [RECOMMENDATIONS]: {} } },
        }),
      ],
      providers: [RawEtcd],
    })
    class ObserverModule {}
    const app = await NestFactory.createApplicationContext(ObserverModule, {
      logger: false,
      abortOnError: false,
    });
    return new Observer(app, keys);
  }

  get leader(): Leadership | null {
    return this.latest?.leadership ?? null;
  }

  candidates(): Promise<readonly Candidate[]> {
    return this.elections.candidates(RECONCILER);
  }

  /** The first leadership after that of `epoch`, now or within `withinMs`. */
  leaderAfter(epoch: bigint, withinMs: number): Promise<SeenLeadership> {
    const { latest } = this;
    if (latest && latest.leadership.epoch > epoch) return Promise.resolve(latest);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`Nobody took over from epoch ${epoch} within ${withinMs} ms.`));
      }, withinMs);
      const stop = this.onLeader((seen) => {
        if (seen.leadership.epoch <= epoch) return;
        clearTimeout(timer);
        stop();
        resolve(seen);
      });
    });
  }

  /** Calls `listener` at each change of leadership, until the returned function is called. */
  onLeader(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async audit(): Promise<AuditReport> {
    return audit(await readBooks(this.etcd, this.keys));
  }

  async orders(): Promise<Order[]> {
    const { orders } = await readBooks(this.etcd, this.keys);
    return orders.map(({ value }) => value);
  }

  /** The records of the orders, by the order's id. */
  async trail(): Promise<ReadonlyMap<string, TrailRecord>> {
    const { trail } = await readBooks(this.etcd, this.keys);
    return new Map(trail.map(({ value }) => [value.orderId, value]));
  }

  async exists(key: string): Promise<boolean> {
    return this.etcd.get(key).exists();
  }

  get configs(): ConfigStore {
    return this.app.get(ConfigStore);
  }

  get releases(): ConfigReleases {
    return this.app.get(ConfigReleases);
  }

  get switches(): Switches {
    return this.app.get(Switches);
  }

  /** Puts a configuration as `etcdctl put` does: nobody looks at it before it stands in etcd. */
  async putPastStore(config: string, document: string): Promise<void> {
    await this.etcd.put(this.documentOf(config)).value(document);
  }

  /** Where the document of a configuration lies that is for all. */
  documentOf(config: string): string {
    return `${this.keys.coordination}/config/${config}/live/layer/shared`;
  }

  /** Removes what this demo has kept in etcd. */
  async sweep(): Promise<void> {
    await this.etcd.delete().prefix(this.keys.root);
  }

  async close(): Promise<void> {
    this.subscription.unsubscribe();
    await this.app.close();
  }

  private get etcd(): Etcd3 {
    return this.app.get(RawEtcd).etcd;
  }

  private get elections(): ElectionService {
    return this.app.get(ElectionService);
  }
}
