import { Etcd3 } from 'etcd3';
import type { Fence } from 'nestjs-etcd-coordination';
import { EmbeddedEtcd } from 'nestjs-etcd-coordination/embedded';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../audit/audit.js';
import { readBooks } from '../audit/read-books.js';
import { DemoKeys } from '../data/demo-keys.js';
import type { Order, StockItem } from '../data/model.js';
import { readVersioned, type Versioned } from '../data/versioned.js';
import { readSettings } from '../settings.js';
import { Settlement } from './settlement.service.js';

describe('a settlement', () => {
  let server: EmbeddedEtcd;
  let etcd: Etcd3;
  let keys: DemoKeys;
  let settlement: Settlement;
  let runs = 0;

  beforeAll(async () => {
    server = await EmbeddedEtcd.start({ logger: false });
    etcd = new Etcd3({ hosts: server.endpoint });
  });

  afterAll(async () => {
    etcd.close();
    await server.close();
  });

  beforeEach(async () => {
    keys = new DemoKeys(`run-${(runs += 1)}`);
    settlement = new Settlement(etcd, keys, {
      ...readSettings('demo-orders', 3001, {}),
      instanceId: 'orders-1',
    });
    await putStock(10);
  });

  const putStock = async (onHand: number) => {
    const before = (await stock())?.value.onHand ?? 0;
    const id = `to-${onHand}`;
    await etcd.put(keys.stockOf('bolt')).value(JSON.stringify({ sku: 'bolt', onHand }));
    await etcd
      .put(keys.stockLedger('bolt', id))
      .value(JSON.stringify({ kind: 'stock', sku: 'bolt', delta: onHand - before }));
  };

  const stock = () => readVersioned<StockItem>(etcd, keys.stockOf('bolt'));

  const report = async () => audit(await readBooks(etcd, keys));
  const violations = async () => (await report()).violations;

  async function putOrder(id: string, quantity = 3): Promise<Versioned<Order>> {
    const order: Order = {
      id,
      sku: 'bolt',
      quantity,
      price: 25,
      status: 'pending',
      takenBy: 'orders-1',
      takenAt: '2026-11-23T12:00:00.000Z',
    };
    await etcd.put(keys.order(id)).value(JSON.stringify(order));
    await etcd.put(keys.pendingOrder(id)).value('{}');
    return readOrder(id);
  }

  async function readOrder(id: string): Promise<Versioned<Order>> {
    const order = await readVersioned<Order>(etcd, keys.order(id));
    if (!order) throw new Error(`There is no order ${id}.`);
    return order;
  }

  /** A term's key, as the election would have put it. */
  async function winTerm(candidate: string): Promise<Fence> {
    const key = `${keys.coordination}/election/reconciler/${candidate}`;
    const { header } = await etcd.put(key).value('{}');
    const revision = BigInt(header.revision);
    return { resource: 'election/reconciler', key, revision, token: revision };
  }

  it('takes the order from the stock, with the epoch that did it', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');

    expect(await settlement.settle(order, await stock(), fence)).toBe('reconciled');

    expect((await readOrder('o1')).value).toMatchObject({
      status: 'reconciled',
      epoch: fence.token.toString(),
      settledBy: 'orders-1',
      price: 25,
    });
    expect((await stock())?.value.onHand).toBe(7);
    expect(await etcd.get(keys.pendingOrder('o1')).exists()).toBe(false);
    expect(await report()).toMatchObject({ earned: 75, violations: [] });
  });

  it('rejects what the stock does not cover, and leaves the stock as it is', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1', 11);

    expect(await settlement.settle(order, await stock(), fence)).toBe('rejected');

    expect((await readOrder('o1')).value).toMatchObject({ status: 'rejected' });
    expect((await stock())?.value.onHand).toBe(10);
    expect(await violations()).toEqual([]);
  });

  it('refuses a term whose key is gone, by its epoch alone', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');
    const read = await stock();
    // Neither order nor stock changes: nothing but the epoch stands in the way.
    await etcd.delete().key(fence.key);

    expect(await settlement.settle(order, read, fence)).toBe('stale-epoch');

    expect(await readOrder('o1')).toEqual(order);
    expect(await stock()).toEqual(read);
    expect(await violations()).toEqual([]);
  });

  it('refuses a term whose key was put anew by a later one', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');
    await etcd.delete().key(fence.key);
    const later = await winTerm('a');

    expect(later.key).toBe(fence.key);
    expect(await settlement.settle(order, await stock(), fence)).toBe('stale-epoch');
    expect(await settlement.settle(order, await stock(), later)).toBe('reconciled');
  });

  it('says stale-epoch of an order that a later term has settled', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');
    const read = await stock();
    await etcd.delete().key(fence.key);
    await settlement.settle(order, read, await winTerm('b'));

    expect(await settlement.settle(order, read, fence)).toBe('stale-epoch');
    expect((await stock())?.value.onHand).toBe(7);
    expect(await violations()).toEqual([]);
  });

  it('never settles an order twice in one term', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');
    await settlement.settle(order, await stock(), fence);

    expect(await settlement.settle(order, await stock(), fence)).toBe('moved-on');
    expect((await stock())?.value.onHand).toBe(7);
  });

  it('does not settle against a stock that has changed since it was read', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');
    const read = await stock();
    await putStock(2);

    expect(await settlement.settle(order, read, fence)).toBe('moved-on');
    expect(await settlement.settle(order, await stock(), fence)).toBe('rejected');
    expect(await violations()).toEqual([]);
  });

  it('does not reject for want of stock that has come since', async () => {
    const fence = await winTerm('a');
    const order = await putOrder('o1');

    expect(await settlement.settle(order, null, fence)).toBe('moved-on');
    expect((await readOrder('o1')).value.status).toBe('pending');
  });
});
