import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NestFactory } from '@nestjs/core';
import { ConfigReleases } from 'nestjs-etcd-coordination';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { OrdersModule } from '../../demo-orders/src/orders.module.js';
import type { AuditReport } from './audit/audit.js';
import { type Prices, PRICES, PRICES_OPTIONS } from './config/prices.config.js';
import { RECONCILER_OPTIONS, RECONCILER_SETTINGS } from './config/reconciler.config.js';
import { DemoKeys } from './data/demo-keys.js';
import type { ConfigurationView, ConfigView } from './http/config.controller.js';
import { PATIENCE, useDemoPair } from '../../../test/support/demo-pair.js';

describe('the two services go by their configuration', () => {
  const pair = useDemoPair();
  const { call, order, settled, settingsOf, urls } = pair;

  const SERVICES = ['demo-orders', 'demo-inventory'];
  const { coordination } = new DemoKeys('demo');
  const documentOf = (key: string) => `${coordination}/config/${key}/live/layer/shared`;

  /** As etcdctl would: nobody looks at it before it stands in etcd. */
  const put = (key: string, document: unknown) =>
    pair.etcd.put(documentOf(key)).value(JSON.stringify(document)).exec();

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
    await pair.etcd.delete().key(documentOf(PRICES));
    await pair.etcd.delete().key(documentOf(RECONCILER_SETTINGS));
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
    const releases = pair.fleet.instances[0]!.get(ConfigReleases);
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
