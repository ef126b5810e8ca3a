import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Etcd3 } from 'etcd3';
import { ConfigReleases } from 'nestjs-etcd-coordination';
import { TestFleet, type TestInstance } from 'nestjs-etcd-coordination/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { HoldView } from '../../demo-inventory/src/demo-hold.controller.js';
import { InventoryModule } from '../../demo-inventory/src/inventory.module.js';
import { OrdersModule } from '../../demo-orders/src/orders.module.js';
import type { AuditReport } from './audit/audit.js';
import { type Prices, PRICES, PRICES_OPTIONS } from './config/prices.config.js';
import { RECONCILER_OPTIONS, RECONCILER_SETTINGS } from './config/reconciler.config.js';
import { DemoKeys } from './data/demo-keys.js';
import type { Order, Reservation } from './data/model.js';
import type { ConfigurationView, ConfigView } from './http/config.controller.js';
import type { CoordinationView } from './http/coordination.controller.js';
import { type DemoSettings, readSettings } from './settings.js';

/** The machine may be busy; what is awaited comes in a fraction of this. */
const PATIENCE = { timeout: 20_000 };

describe('the two services', () => {
  let fleet: TestFleet;
  let etcd: Etcd3;
  const urls: Record<string, string> = {};

  beforeAll(async () => {
    // The reconciler's interval goes by the machine's time.
    fleet = await TestFleet.empty({ time: 'real' });
    etcd = new Etcd3({ hosts: fleet.etcd.endpoint });
    await start('demo-inventory', (settings) => InventoryModule.register(settings));
    await start('demo-orders', (settings) => OrdersModule.register(settings), {
      TRACK: 'canary',
      INVENTORY_URLS: urls['demo-inventory'],
    });
  });

  afterAll(async () => {
    etcd.close();
    await fleet.close();
  });

  const settingsOf = (service: string, env: NodeJS.ProcessEnv) =>
    readSettings(service, 0, {
      INSTANCE_ID: service,
      ETCD_ENDPOINTS: fleet.etcd.endpoint,
      ...env,
    });

  async function start(
    service: string,
    moduleFor: (settings: DemoSettings) => DynamicModule,
    env: NodeJS.ProcessEnv = {},
  ): Promise<TestInstance> {
    const settings = settingsOf(service, env);
    const { instanceId: name } = settings;
    const instance = await fleet.add(moduleFor(settings), { name, http: true });
    urls[name] = instance.url;
    return instance;
  }

  async function call<T>(
    service: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: T }> {
    const response = await fetch(`${urls[service]}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T };
  }

  const order = (sku: string, quantity: number, key?: string) =>
    call<Order>(
      'demo-orders',
      'POST',
      '/orders',
      { sku, quantity },
      key ? { 'idempotency-key': key } : {},
    );

  const settled = (id: string) =>
    vi.waitFor(async () => {
      const { body } = await call<Order>('demo-orders', 'GET', `/orders/${id}`);
      expect(body.status).not.toBe('pending');
      return body;
    }, PATIENCE);

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
    await etcd.delete().prefix('demo/lock/sku%2Frivet/');
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

  describe('go by their configuration', () => {
    const SERVICES = ['demo-orders', 'demo-inventory'];
    const { coordination } = new DemoKeys('demo');
    const documentOf = (key: string) => `${coordination}/config/${key}/live/layer/shared`;

    /** As etcdctl would: nobody looks at it before it stands in etcd. */
    const put = (key: string, document: unknown) =>
      etcd.put(documentOf(key)).value(JSON.stringify(document)).exec();

    const view = async <T>(service: string, key: string) => {
      const { body } = await call<ConfigView>(service, 'GET', '/config');
      return body.configurations.find((one) => one.key === key) as ConfigurationView<T>;
    };

    /** Waits until `check` holds of a configuration in both. */
    const inBoth = (key: string, check: (view: ConfigurationView<Prices>) => void) =>
      Promise.all(
        SERVICES.map((service) =>
          vi.waitFor(async () => check(await view<Prices>(service, key)), PATIENCE),
        ),
      );

    afterEach(async () => {
      await etcd.delete().key(documentOf(PRICES));
      await etcd.delete().key(documentOf(RECONCILER_SETTINGS));
      await inBoth(PRICES, ({ source }) => expect(source).toBe('default'));
      await inBoth(RECONCILER_SETTINGS, ({ source }) => expect(source).toBe('default'));
    });

    it('and by its defaults, where there is none', async () => {
      for (const [key, options] of [
        [PRICES, PRICES_OPTIONS],
        [RECONCILER_SETTINGS, RECONCILER_OPTIONS],
      ] as const) {
        expect(await view('demo-orders', key)).toMatchObject({
          value: options.default,
          source: 'default',
          revision: '0',
          rejected: null,
          release: null,
        });
      }
    });

    it('from the moment that it changes; an order keeps its price', async () => {
      await put(RECONCILER_SETTINGS, { paused: true, everyMs: 50 });
      await inBoth(RECONCILER_SETTINGS, ({ source }) => expect(source).toBe('etcd'));
      await call('demo-inventory', 'PUT', '/stock/nut', { quantity: 100 });
      const before = await order('nut', 2);

      const { header } = await put(PRICES, { nut: 12 });
      await inBoth(PRICES, ({ value, revision }) => {
        expect(value).toEqual({ nut: 12 });
        expect(revision).toBe(header.revision);
      });
      const after = await order('nut', 2);
      expect(await call('demo-inventory', 'GET', '/stock/nut')).toMatchObject({
        body: { worth: 1200 },
      });

      // The leader has read the pause: nothing but that keeps them from being settled.
      expect(await call('demo-orders', 'GET', `/orders/${before.body.id}`)).toMatchObject({
        body: { status: 'pending' },
      });
      await put(RECONCILER_SETTINGS, { everyMs: 50 });
      expect(await settled(before.body.id)).toMatchObject({ status: 'reconciled', price: 10 });
      expect(await settled(after.body.id)).toMatchObject({ status: 'reconciled', price: 12 });
      const { body } = await call<AuditReport>('demo-orders', 'GET', '/audit');
      expect(body.violations).toEqual([]);
      expect(body.stock).toContainEqual(
        expect.objectContaining({ sku: 'nut', sold: 4, earned: 2 * 10 + 2 * 12 }),
      );
    });

    it('and by the last good one, when a bad one comes; they say so', async () => {
      await put(PRICES, { bolt: 30 });
      await inBoth(PRICES, ({ value }) => expect(value).toEqual({ bolt: 30 }));
      const { header } = await put(PRICES, { bolt: 'free' });
      await inBoth(PRICES, ({ value, rejected }) => {
        expect(value).toEqual({ bolt: 30 });
        expect(rejected).toMatchObject({ layer: 'shared', revision: header.revision });
        expect(rejected?.message).toMatch(/"prices".*at bolt/);
      });
      for (const service of SERVICES) {
        expect(await call(service, 'GET', '/health')).toMatchObject({
          status: 200,
          body: { status: 'degraded' },
        });
      }
      expect(await order('bolt', 1)).toMatchObject({ status: 201, body: { price: 30 } });

      await put(PRICES, { bolt: 31 });
      await inBoth(PRICES, ({ rejected }) => expect(rejected).toBeNull());
      expect(await call('demo-orders', 'GET', '/health')).toMatchObject({ body: { status: 'ok' } });
    });

    it('and an order that is repeated is known, though its article has no price any more', async () => {
      const { body } = await order('bolt', 1, 'before-the-change');
      await put(PRICES, { nut: 12 });
      await inBoth(PRICES, ({ value }) => expect(value).toEqual({ nut: 12 }));
      expect(await order('bolt', 1, 'before-the-change')).toMatchObject({
        status: 201,
        body: { id: body.id, price: body.price },
      });
      expect(await order('bolt', 2, 'before-the-change')).toMatchObject({ status: 409 });
      expect(await order('bolt', 1)).toMatchObject({
        status: 422,
        body: { message: 'There is no price for bolt at demo-orders, so it is not sold here now.' },
      });
    });

    it('and a release that leaves an article without a price comes no further than the canary', async () => {
      await put(PRICES, { bolt: 30, nut: 12 });
      await inBoth(PRICES, ({ value }) => expect(value).toEqual({ bolt: 30, nut: 12 }));
      const releases = fleet.instances[0]!.get(ConfigReleases);
      await releases.start(
        PRICES,
        { nut: 13 },
        { labels: { track: 'canary' }, steps: [100], observeMs: 60_000 },
      );
      await vi.waitFor(async () => {
        const { value, release } = await view('demo-orders', PRICES);
        expect(value).toEqual({ nut: 13 });
        expect(release).toMatchObject({ isCanary: true });
      }, PATIENCE);
      expect(await view('demo-inventory', PRICES)).toMatchObject({
        value: { bolt: 30, nut: 12 },
        release: { isCanary: false },
      });

      expect(await order('bolt', 1)).toMatchObject({ status: 422 });
      const release = await vi.waitFor(async () => {
        await order('bolt', 1);
        const now = await releases.get(PRICES);
        expect(now?.state).toBe('rolled-back');
        return now;
      }, PATIENCE);
      expect(release?.ended).toMatch(/"demo-orders".*of \d+ orders .* had no price/);
      await inBoth(PRICES, ({ value }) => expect(value).toEqual({ bolt: 30, nut: 12 }));
      expect(await order('bolt', 1)).toMatchObject({ status: 201, body: { price: 30 } });
    });

    it.each([
      ['plain', {}],
      ['encrypted', { CONFIG_SNAPSHOT_KEY: '5e'.repeat(32) }],
    ])('by a snapshot, %s, where they start without etcd', async (name, key) => {
      const folder = mkdtempSync(join(tmpdir(), 'demo-services-'));
      const CONFIG_SNAPSHOT = join(folder, 'snapshot');
      // Not of the fleet, in which there is etcd at every start.
      const run = async (instance: string, env: NodeJS.ProcessEnv = {}) => {
        const own = { INSTANCE_ID: instance, CONFIG_SNAPSHOT, ...key, ...env };
        const module = OrdersModule.register(settingsOf('demo-orders', own));
        const app = await NestFactory.create(module, { logger: false });
        await app.listen(0, '127.0.0.1');
        urls[instance] = await app.getUrl();
        return app;
      };
      try {
        await put(PRICES, { 'left-handed-bolt': 77 });
        await (await run(`${name}-before`)).close();
        expect(readFileSync(CONFIG_SNAPSHOT).includes('left-handed')).toBe(name === 'plain');

        const after = `${name}-after`;
        const app = await run(after, { ETCD_ENDPOINTS: '127.0.0.1:1' });
        expect(await call(after, 'GET', '/prices')).toEqual({
          status: 200,
          body: { 'left-handed-bolt': 77 },
        });
        expect(await view(after, PRICES)).toMatchObject({ source: 'snapshot' });
        expect(await call(after, 'GET', '/health')).toMatchObject({
          status: 200,
          body: { status: 'degraded' },
        });
        await app.close();
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  });
});
