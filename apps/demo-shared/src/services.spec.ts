import { describe, expect, it, vi } from 'vitest';
import type { HoldView } from '../../demo-inventory/src/demo-hold.controller.js';
import { InventoryModule } from '../../demo-inventory/src/inventory.module.js';
import type { AuditReport } from './audit/audit.js';
import type { Order, Reservation } from './data/model.js';
import type { CoordinationView } from './http/coordination.controller.js';
import { PATIENCE, useDemoPair } from '../../../test/support/demo-pair.js';

describe('the two services', () => {
  const pair = useDemoPair();
  const { call, order, settled, start, urls } = pair;

  it('agree on who leads', async () => {
    const views = await vi.waitFor(async () => {
      const all = await Promise.all(
        Object.keys(urls).map((name) => call<CoordinationView>(name, 'GET', '/coordination')),
      );
      expect(all.every(({ body }) => body.leader && body.candidates?.length === 2)).toBe(true);
      return all.map(({ body }) => body);
    }, PATIENCE);
    expect(new Set(views.map(({ leader }) => leader?.epoch)).size).toBe(1);
    expect(views.filter(({ term }) => term !== null)).toHaveLength(1);
    expect(views.every(({ session }) => session.state === 'active')).toBe(true);
  });

  it('are well', async () => {
    for (const service of Object.keys(urls)) {
      expect(await call(service, 'GET', '/health')).toMatchObject({
        status: 200,
        body: { status: 'ok', details: { etcd: { status: 'up' } } },
      });
    }
  });

  it('reconcile orders against stock, and the books hold', async () => {
    expect(await call('demo-inventory', 'PUT', '/stock/lamp', { quantity: 5 })).toMatchObject({
      status: 200,
      body: { sku: 'lamp', onHand: 5, worth: 22_500 },
    });
    const first = await order('lamp', 3);
    expect(first).toMatchObject({ status: 201, body: { status: 'pending', price: 4500 } });
    expect(await settled(first.body.id)).toMatchObject({ status: 'reconciled' });

    const second = await order('lamp', 3);
    expect(await settled(second.body.id)).toMatchObject({
      status: 'rejected',
      reason: '3 of lamp were ordered and 2 are on hand',
    });
    expect(await call('demo-inventory', 'GET', '/stock/lamp')).toMatchObject({
      body: { onHand: 2 },
    });
    const { body } = await call<AuditReport>('demo-inventory', 'GET', '/audit');
    expect(body.violations).toEqual([]);
    expect(body).toMatchObject({ reconciled: 1, rejected: 1, pending: 0, earned: 13_500 });
  });

  it('take an order that is repeated under its Idempotency-Key once', async () => {
    const first = await order('bolt', 1, 'mine');
    expect(first.body.id).toBe('mine');
    expect((await order('bolt', 1, 'mine')).body.id).toBe('mine');
    expect(await order('bolt', 2, 'mine')).toMatchObject({
      status: 409,
      body: { message: 'The Idempotency-Key mine was used for another order.' },
    });
    const { body } = await call<Order[]>('demo-orders', 'GET', '/orders');
    expect(body.filter(({ id }) => id === 'mine')).toHaveLength(1);
  });

  it('reserve stock for one customer after the other, and for each once', async () => {
    const reserve = (quantity: number, key: string, sku = 'pin') =>
      call<Reservation>(
        ...(['demo-orders', 'POST', '/reservations'] as const),
        ...([{ sku, quantity }, { 'idempotency-key': key }] as const),
      );
    await call('demo-inventory', 'PUT', '/stock/pin', { quantity: 10 });
    const all = await Promise.all([1, 2, 3, 4].map((n) => reserve(2, `customer-${n}`)));
    expect(all.map(({ status }) => status)).toEqual([201, 201, 201, 201]);
    expect(new Set(all.map(({ body }) => body.token)).size).toBe(4);

    const again = await reserve(2, 'customer-1');
    expect(again.body).toEqual(all[0]!.body);
    expect(await reserve(1, 'customer-1')).toMatchObject({
      status: 409,
      body: { message: 'The id customer-1 is that of another reservation.' },
    });
    expect(await reserve(3, 'customer-5')).toMatchObject({
      status: 409,
      body: { message: '3 of pin were to be reserved and 2 are on hand.' },
    });
    expect(await reserve(1, 'customer-5', 'none')).toMatchObject({ status: 409 });

    const { body } = await call<AuditReport>('demo-orders', 'GET', '/audit');
    expect(body.violations).toEqual([]);
    expect(body.reservations).toBe(4);
    expect(body.stock).toContainEqual({
      ...{ sku: 'pin', putIn: 10, sold: 0, reserved: 8, onHand: 2, earned: 0 },
    });
  });

  it('refuse the late write of one that has lost the lock in the middle of a reservation', async () => {
    const CLERK = 'demo-inventory-held';
    const clerk = await start('demo-inventory', (settings) => InventoryModule.register(settings), {
      INSTANCE_ID: CLERK,
      DEMO: '1',
    });
    await call('demo-inventory', 'PUT', '/stock/rivet', { quantity: 10 });
    const reserve = (service: string, id: string) =>
      call<{ code?: string }>(service, 'POST', '/reservations', { id, sku: 'rivet', quantity: 4 });
    await call(CLERK, 'POST', '/demo/hold');
    const held = reserve(CLERK, 'held');
    const hold = () => call<HoldView>(CLERK, 'GET', '/demo/hold');
    await vi.waitFor(async () => expect((await hold()).body.state).toBe('holding'), PATIENCE);
    await pair.etcd.delete().prefix('demo/lock/sku%2Frivet/');
    expect(await reserve('demo-inventory', 'other')).toMatchObject({ status: 201 });
    // To the clerk that is a freeze, and it goes on with its write.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);

    // Whichever it hears of first: that its key is gone, or that its write was refused.
    expect((await held).body.code).toMatch(/^(LOCK_LOST|STALE_FENCE)$/);
    expect((await hold()).body).toMatchObject({
      state: 'over',
      report: { lateWrite: 'STALE_FENCE', lateNoteTaken: false },
    });
    const { body } = await call<AuditReport>('demo-orders', 'GET', '/audit');
    expect(body.violations).toEqual([]);
    expect(body.stock).toContainEqual(
      expect.objectContaining({ sku: 'rivet', reserved: 4, onHand: 6 }),
    );
    await clerk.stop();
    delete urls[CLERK];
  });

  it.each([
    ['demo-orders', 'POST', '/orders', { sku: 'bolt', quantity: -1 }, 400],
    ['demo-orders', 'POST', '/orders', { sku: 'gold', quantity: 1 }, 422],
    // Every object has such a thing.
    ['demo-orders', 'POST', '/orders', { sku: 'constructor', quantity: 1 }, 422],
    ['demo-orders', 'GET', '/orders/none', undefined, 404],
    ['demo-orders', 'GET', '/orders/a%2Fb', undefined, 400],
    ['demo-inventory', 'PUT', '/stock/bolt', { quantity: 'many' }, 400],
    ['demo-inventory', 'PUT', '/stock/a%2Fb', { quantity: 1 }, 400],
    ['demo-inventory', 'GET', '/stock/none', undefined, 404],
    ['demo-orders', 'POST', '/reservations', { sku: 'bolt', quantity: 0 }, 400],
    ['demo-inventory', 'POST', '/reservations', { sku: 'bolt', quantity: 1 }, 400],
    ['demo-inventory', 'POST', '/reservations', { id: 'a/b', sku: 'bolt', quantity: 1 }, 400],
    // Breaking a leader is for DEMO=1.
    ['demo-orders', 'POST', '/demo/freeze?ms=1', undefined, 404],
    ['demo-inventory', 'POST', '/demo/hold', undefined, 404],
  ])('%s answers %s %s with %j as it should', async (service, method, path, body, status) => {
    expect((await call(service, method, path, body)).status).toBe(status);
  });
});
