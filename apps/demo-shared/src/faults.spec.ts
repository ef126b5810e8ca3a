import { Etcd3 } from 'etcd3';
import type { LeaderTerm } from 'nestjs-etcd-coordination';
import { TestFleet, type TestInstance } from 'nestjs-etcd-coordination/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitFor } from '../../../test/support/wait-for.js';
import { DemoHold } from '../../demo-inventory/src/demo-hold.service.js';
import { InventoryModule } from '../../demo-inventory/src/inventory.module.js';
import { Reservations } from '../../demo-inventory/src/reservations.service.js';
import { StockService } from '../../demo-inventory/src/stock.service.js';
import { OrdersModule } from '../../demo-orders/src/orders.module.js';
import { OrdersService } from '../../demo-orders/src/orders.service.js';
import { audit } from './audit/audit.js';
import { readBooks } from './audit/read-books.js';
import { DemoKeys, RECONCILER } from './data/demo-keys.js';
import { DemoFreeze } from './reconcile/freeze.service.js';
import { readSettings } from './settings.js';

/** Runs in the middle of what one instance does, once. */
type Interruption = (instance: TestInstance) => Promise<void>;

describe('the demo, in the middle of its work', () => {
  let fleet: TestFleet;
  let etcd: Etcd3;
  let interrupt: Interruption | null;

  const interruption = async (name: string) => {
    const once = interrupt;
    interrupt = null;
    await once?.(fleet.instance(name));
  };

  beforeEach(async () => {
    interrupt = null;
    fleet = await TestFleet.empty();
    etcd = new Etcd3({ hosts: fleet.etcd.endpoint });
    for (const name of ['inventory-1', 'inventory-2']) {
      const settings = readSettings('demo-inventory', 3011, { INSTANCE_ID: name });
      await fleet.add(InventoryModule.register(settings), {
        name,
        override: (builder) =>
          builder
            .overrideProvider(DemoFreeze)
            .useValue({
              around: async (_term: LeaderTerm, _order: string, settle: () => Promise<unknown>) => {
                await interruption(name);
                return settle();
              },
            })
            .overrideProvider(DemoHold)
            .useValue({
              around: (_lock: unknown, reserve: () => Promise<unknown>) => reserve(),
              here: () => interruption(name),
            }),
      });
    }
    await fleet.time.run(fleet.instances[0]!.get(StockService).set('bolt', 10));
  });

  afterEach(async () => {
    etcd.close();
    await fleet.close();
  });

  const books = async () => audit(await readBooks(etcd, new DemoKeys('demo')));

  /** Another instance owns what this one takes itself to own, and this one goes on. */
  const outlived =
    (takenOver: (by: TestInstance) => Promise<unknown>): Interruption =>
    async (instance) => {
      const other = fleet.instances.find((one) => one !== instance)!;
      instance.freeze();
      await takenOver(other);
      instance.thaw();
    };

  it('settles an order once, when leadership is lost in a run of the reconciler', async () => {
    const interrupted = new Promise<TestInstance>((resolve) => {
      interrupt = async (instance) => {
        await outlived(() => fleet.leaderOf(RECONCILER, { not: instance }))(instance);
        resolve(instance);
      };
    });
    const settings = readSettings('demo-orders', 3001, { INSTANCE_ID: 'orders-1' });
    const orders = await fleet.add(OrdersModule.register(settings), { name: 'orders-1' });
    const { id } = await fleet.time.run(
      orders.get(OrdersService).take({ sku: 'bolt', quantity: 3 }, null),
    );
    const loser = await interrupted;
    expect((await fleet.leaderOf(RECONCILER)).name).not.toBe(loser.name);

    // The interval of the other one goes by the machine's time.
    const find = () => fleet.time.run(orders.get(OrdersService).find(id));
    await waitFor(async () => (await find())?.status === 'reconciled', {
      what: 'the order to be reconciled by the other one',
    });
    expect(await books()).toMatchObject({ reconciled: 1, violations: [] });
    expect(await find()).not.toMatchObject({ settledBy: loser.name });
  });

  it('reserves nothing for one that has lost the lock in a reservation', async () => {
    const [first, second] = fleet.instances as [TestInstance, TestInstance];
    const reserve = (by: TestInstance, id: string) =>
      by.get(Reservations).reserve({ id, sku: 'bolt', quantity: 4 });
    interrupt = outlived((other) => fleet.time.run(reserve(other, 'of the other')));

    await expect(fleet.time.run(reserve(first, 'of the first'))).rejects.toMatchObject({
      code: expect.stringMatching(/^(LOCK_LOST|STALE_FENCE)$/),
    });
    const { stock, reservations, violations } = await books();
    expect([reservations, violations]).toEqual([1, []]);
    expect(stock).toContainEqual(expect.objectContaining({ sku: 'bolt', reserved: 4, onHand: 6 }));
    expect(second.isFrozen).toBe(false);
  });
});
