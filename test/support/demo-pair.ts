import type { DynamicModule } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { TestFleet, type TestInstance } from 'nestjs-etcd-coordination/testing';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { InventoryModule } from '../../apps/demo-inventory/src/inventory.module.js';
import { OrdersModule } from '../../apps/demo-orders/src/orders.module.js';
import type { Order } from '../../apps/demo-shared/src/data/model.js';
import { type DemoSettings, readSettings } from '../../apps/demo-shared/src/settings.js';
import { freePort } from './free-port.js';

/** The machine may be busy; what is awaited comes in a fraction of this. */
export const PATIENCE = { timeout: 20_000 };

/** The demo's two services, by the names `demo-inventory` and `demo-orders`, as those see them who call them. */
export class DemoPair {
  fleet!: TestFleet;
  etcd!: Etcd3;
  readonly urls: Record<string, string> = {};

  async open(): Promise<void> {
    // The reconciler's interval goes by the machine's time.
    this.fleet = await TestFleet.empty({ time: 'real' });
    this.etcd = new Etcd3({ hosts: this.fleet.etcd.endpoint });
    await this.start('demo-inventory', (settings) => InventoryModule.register(settings));
    await this.start('demo-orders', (settings) => OrdersModule.register(settings), {
      TRACK: 'canary',
    });
  }

  async close(): Promise<void> {
    this.etcd.close();
    await this.fleet.close();
  }

  readonly settingsOf = (service: string, env: NodeJS.ProcessEnv): DemoSettings =>
    readSettings(service, 3001, {
      INSTANCE_ID: service,
      ETCD_ENDPOINTS: this.fleet.etcd.endpoint,
      ...env,
    });

  readonly call = async <T>(
    service: string,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; body: T }> => {
    const response = await fetch(`${this.urls[service]}${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as T };
  };

  readonly order = (sku: string, quantity: number, key?: string) =>
    this.call<Order>(
      'demo-orders',
      'POST',
      '/orders',
      { sku, quantity },
      key ? { 'idempotency-key': key } : {},
    );

  /** Waits until an order is no longer pending. */
  readonly settled = (id: string): Promise<Order> =>
    vi.waitFor(async () => {
      const { body } = await this.call<Order>('demo-orders', 'GET', `/orders/${id}`);
      expect(body.status).not.toBe('pending');
      return body;
    }, PATIENCE);

  /** Starts a service, or one more instance of it, under the name in its settings. */
  readonly start = async (
    service: string,
    moduleFor: (settings: DemoSettings) => DynamicModule,
    env: NodeJS.ProcessEnv = {},
  ): Promise<TestInstance> => {
    const settings = this.settingsOf(service, { PORT: String(await freePort()), ...env });
    const { instanceId: name, port } = settings;
    const instance = await this.fleet.add(moduleFor(settings), { name, http: true, port });
    this.urls[name] = instance.url;
    return instance;
  };
}

/** The two services for the tests of a file. */
export function useDemoPair(): DemoPair {
  const pair = new DemoPair();
  beforeAll(() => pair.open());
  afterAll(() => pair.close());
  return pair;
}
