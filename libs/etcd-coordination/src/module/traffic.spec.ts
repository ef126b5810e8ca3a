import { Injectable, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '../../../../test/support/wait-for.js';
import { ConfigStore } from '../config/config.store.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { RateLimit } from '../traffic/limit/rate-limit.decorator.js';
import { RateLimitedError } from '../traffic/limit/rate-limit.errors.js';
import { RateLimiter } from '../traffic/limit/rate-limiter.js';
import { Resilient } from '../traffic/resilience/resilient.decorator.js';
import { Degradable } from '../traffic/switches/degradable.decorator.js';
import { Switches } from '../traffic/switches/switches.js';
import { UnknownTrafficNameError } from '../traffic/traffic.errors.js';
import { WriteBatcher } from '../transaction/write-batcher.js';
import type { CoordinationOptions } from './coordination-options.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

let etcd: EmbeddedEtcd;
const apps: TestingModule[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});
afterAll(() => etcd.close());
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

const TRAFFIC: CoordinationOptions['traffic'] = {
  limits: {
    orders: { limit: 2, windowMs: 3_600_000, mode: 'instance' },
    mails: { limit: 5, windowMs: 1000, mode: 'fleet' },
  },
  policies: { stock: { retry: { attempts: 3, initialDelayMs: 1, minRetriesPerSecond: 10 } } },
  switches: { ads: { priority: 7 } },
};

async function boot(providers: Type<object>[], namespace: string): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [
      EtcdCoordinationModule.forRoot({ endpoints: [etcd.endpoint], namespace, traffic: TRAFFIC }),
    ],
    providers,
  }).compile();
  apps.push(app);
  await app.init();
  return app;
}

@Injectable()
class Shop {
  stockCalls = 0;

  @RateLimit('orders')
  async order(): Promise<string> {
    return Promise.resolve('ordered');
  }

  @Resilient('stock', { idempotent: true })
  async stock(): Promise<number> {
    this.stockCalls += 1;
    return this.stockCalls < 3 ? Promise.reject(new Error('away')) : Promise.resolve(7);
  }

  @Degradable('ads', { fallback: 'noAds' })
  ads(): string[] {
    return ['buy this'];
  }

  noAds(): string[] {
    return [];
  }
}

describe('limits, policies, switches and gathered writes of an application', () => {
  it('work as they are declared, and turn with their documents', async () => {
    const app = await boot([Shop], 'declared');
    const shop = app.get(Shop);
    const store = app.get(ConfigStore);

    expect([await shop.order(), await shop.order()]).toEqual(['ordered', 'ordered']);
    await expect(shop.order()).rejects.toThrow(RateLimitedError);
    expect(await shop.stock()).toBe(7);
    expect(shop.ads()).toEqual(['buy this']);

    await store.set('traffic/limits/orders', { windowMs: 1 });
    const limiter = app.get(RateLimiter);
    await waitFor(() => limiter.status('orders').numbers.windowMs === 1, { what: 'the window' });
    expect(limiter.status('orders').numbers.limit).toBe(2);
    await waitFor(() => shop.order().catch(() => null), { what: 'an order to be taken' });

    await store.set('traffic/policies/stock', { retry: null });
    const fails = async () => {
      shop.stockCalls = 0;
      return shop.stock().catch(() => true);
    };
    await waitFor(async () => (await fails()) === true, { what: 'a call that is made once' });
    expect(shop.stockCalls).toBe(1);

    await app.get(Switches).set('ads', 'off', { author: 'ada', reason: 'too slow' });
    await waitFor(() => shop.ads().length === 0, { what: 'the switch' });
  });

  it.each([
    ['limit', 'order', class A extends Shop {}, RateLimit('ordres')],
    ['policy', 'stock', class B extends Shop {}, Resilient('stok')],
    ['switch', 'ads', class C extends Shop {}, Degradable('add')],
  ] as const)(
    'fail the start where a %s is not declared, and list those that are',
    async (noun, method, type, decorate) => {
      const wrapped = { value: Shop.prototype[method], configurable: true, writable: true };
      (decorate as MethodDecorator)(type.prototype, method, wrapped);
      Object.defineProperty(type.prototype, method, wrapped);
      const error = await boot([type], `unknown-${noun}`).then(
        () => null,
        (failure: unknown) => failure,
      );
      expect(error).toBeInstanceOf(UnknownTrafficNameError);
      expect((error as UnknownTrafficNameError).known).toEqual(
        { limit: ['orders', 'mails'], policy: ['stock'], switch: ['ads'] }[noun],
      );
      expect((error as Error).message).toContain(`${type.name}.${method}`);
    },
  );

  it('have their share of a limit of the fleet when the application is up', async () => {
    @Injectable()
    class Mails {
      @RateLimit('mails')
      async send(): Promise<void> {}
    }
    const app = await boot([Mails], 'fleet');
    expect(app.get(RateLimiter).status('mails')).toMatchObject({ members: 1, share: 1 });
  });

  it('write what is gathered before the connection closes', async () => {
    const app = await boot([], 'gathered');
    const batcher = app.get(WriteBatcher);
    const writes = Array.from({ length: 300 }, (_, index) => batcher.put(`k/${index}`, 'x'));
    apps.splice(apps.indexOf(app), 1);
    await app.close();
    await Promise.all(writes);
    const raw = new Etcd3({ hosts: etcd.endpoint });
    const found = await raw.getAll().prefix('gathered/').keys();
    raw.close();
    expect(found.filter((key) => key.includes('k/'))).toHaveLength(300);
  });

  it('close the application though nobody waits for a limit, a switch or a write', async () => {
    const app = await boot([Shop], 'idle');
    app.get(RateLimiter).check('mails');
    apps.splice(apps.indexOf(app), 1);
    await app.close();
    await expect(app.get(WriteBatcher).put('a', 'x')).rejects.toThrow('closed');
  });
});
