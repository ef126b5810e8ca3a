import type { DynamicModule, INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EmbeddedEtcd } from 'nestjs-etcd-coordination/embedded';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { InventoryModule } from '../../demo-inventory/src/inventory.module.js';
import { OrdersModule } from '../../demo-orders/src/orders.module.js';
import type { AuditReport } from './audit/audit.js';
import type { Order } from './data/model.js';
import type { CoordinationView } from './http/coordination.controller.js';
import { type DemoSettings, readSettings } from './settings.js';

/** The machine may be busy; what is awaited comes in a fraction of this. */
const PATIENCE = { timeout: 20_000 };

describe('the two services', () => {
  let server: EmbeddedEtcd;
  const apps: INestApplication[] = [];
  const urls: Record<string, string> = {};

  beforeAll(async () => {
    server = await EmbeddedEtcd.start({ logger: false });
    await start('demo-orders', (settings) => OrdersModule.register(settings));
    await start('demo-inventory', (settings) => InventoryModule.register(settings));
  });

  afterAll(async () => {
    await Promise.all(apps.map((app) => app.close()));
    await server.close();
  });

  async function start(service: string, moduleFor: (settings: DemoSettings) => DynamicModule) {
    const settings = readSettings(service, 0, {
      INSTANCE_ID: service,
      ETCD_ENDPOINTS: server.endpoint,
    });
    const app = await NestFactory.create(moduleFor(settings), { logger: false });
    apps.push(app);
    await app.listen(0, '127.0.0.1');
    urls[service] = await app.getUrl();
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
      body: { sku: 'lamp', onHand: 5 },
    });
    const first = await order('lamp', 3);
    expect(first).toMatchObject({ status: 201, body: { status: 'pending' } });
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
    expect(body).toMatchObject({ reconciled: 1, rejected: 1, pending: 0 });
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

  it.each([
    ['demo-orders', 'POST', '/orders', { sku: 'bolt', quantity: -1 }, 400],
    ['demo-orders', 'GET', '/orders/none', undefined, 404],
    ['demo-orders', 'GET', '/orders/a%2Fb', undefined, 400],
    ['demo-inventory', 'PUT', '/stock/bolt', { quantity: 'many' }, 400],
    ['demo-inventory', 'PUT', '/stock/a%2Fb', { quantity: 1 }, 400],
    ['demo-inventory', 'GET', '/stock/none', undefined, 404],
    // Breaking a leader is for DEMO=1.
    ['demo-orders', 'POST', '/demo/freeze?ms=1', undefined, 404],
  ])('%s answers %s %s with %j as it should', async (service, method, path, body, status) => {
    expect((await call(service, method, path, body)).status).toBe(status);
  });
});
