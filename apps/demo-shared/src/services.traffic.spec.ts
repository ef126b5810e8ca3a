import { ConfigStore, Switches } from 'nestjs-etcd-coordination';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Recommendation } from '../../demo-orders/src/recommendations.service.js';
import { Recommender, type RecommenderFault } from '../../demo-orders/src/recommender.service.js';
import type { TrafficView } from '../../demo-orders/src/traffic.controller.js';
import { RECOMMENDATIONS } from '../../demo-orders/src/traffic.js';
import type { AuditReport } from './audit/audit.js';
import type { Order } from './data/model.js';
import { PATIENCE, useDemoPair } from '../../../test/support/demo-pair.js';

const LIMIT = 'traffic/limits/orders';
const OPERATOR = { author: 'ada', reason: 'The test wants it.' };

describe('the two services under load', () => {
  const pair = useDemoPair();
  const { call, order, settled } = pair;

  const orders = () => pair.fleet.instance('demo-orders');
  const traffic = async () => (await call<TrafficView>('demo-orders', 'GET', '/traffic')).body;
  const whenTraffic = (check: (view: TrafficView) => void) =>
    vi.waitFor(async () => check(await traffic()), PATIENCE);

  const recommended = (id: string) =>
    call<Recommendation>('demo-orders', 'GET', `/orders/${id}/recommendations`);
  const breakRecommender = (fault: RecommenderFault | null) => {
    orders().get(Recommender).fault = fault;
  };

  afterEach(async () => {
    breakRecommender(null);
    await orders().get(ConfigStore).set(LIMIT, {}, OPERATOR);
    await orders().get(Switches).set(RECOMMENDATIONS, 'auto', OPERATOR);
    await whenTraffic((view) => {
      expect(view.limit.numbers.limit).toBe(500);
      expect(view.switch.state).toBe('on');
    });
  });

  it('take as many orders as they may, and say when to come again', async () => {
    // So few that none comes back while the test runs.
    const numbers = { limit: 1, windowMs: 3_600_000, burst: 1 };
    await orders().get(ConfigStore).set(LIMIT, numbers, OPERATOR);
    await whenTraffic((view) => expect(view.limit.numbers).toMatchObject(numbers));
    await vi.waitFor(async () => expect((await order('bolt', 1)).status).toBe(429), PATIENCE);

    const response = await fetch(`${pair.urls['demo-orders']}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ sku: 'bolt', quantity: 1 }),
    });
    expect(await response.json()).toMatchObject({ statusCode: 429, code: 'RATE_LIMITED' });
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(1000);
    // Nothing else is counted.
    expect((await call('demo-orders', 'GET', '/orders')).status).toBe(200);
  });

  it('keep a record of each order, also of one that was taken and not answered for', async () => {
    const { body } = await order('bolt', 2, 'recorded');
    const key = 'demo/trail/recorded';
    const read = () => pair.etcd.get(key).json();
    const { sku, quantity, price, takenBy, takenAt } = body;
    const record = { orderId: 'recorded', sku, quantity, price, takenBy, takenAt };
    expect(await read()).toEqual(record);

    await pair.etcd.delete().key(key);
    await order('bolt', 2, 'recorded');
    expect(await read()).toEqual(record);
  });

  it('send the records of orders that come together in few transactions', async () => {
    const before = (await traffic()).trail;
    const taken = await Promise.all(Array.from({ length: 40 }, () => order('bolt', 1)));
    expect(taken.map(({ status }) => status)).toEqual(taken.map(() => 201));
    const after = (await traffic()).trail;
    expect(after.written - before.written).toBe(40);
    expect(after.transactions - before.transactions).toBeLessThan(30);
    await Promise.all(taken.map(({ body }) => settled(body.id)));
    const { body } = await call<AuditReport>('demo-orders', 'GET', '/audit');
    const all = await call<Order[]>('demo-orders', 'GET', '/orders');
    expect(body).toMatchObject({ trail: all.body.length, violations: [] });
  });

  it('recommend something, or bestsellers where that fails or is too slow', async () => {
    const { body } = await order('nut', 1);
    expect(await recommended(body.id)).toMatchObject({
      status: 200,
      body: { orderId: body.id, articles: ['bolt', 'lamp'], basis: 'order' },
    });
    for (const fault of ['failing', 'hanging'] as const) {
      breakRecommender(fault);
      expect(await recommended(body.id)).toMatchObject({
        status: 200,
        body: { articles: ['bolt'], basis: 'bestsellers' },
      });
    }
    expect((await recommended('none')).status).toBe(404);
  });

  it('do without recommendations when an operator says so, without asking anybody', async () => {
    const { body } = await order('nut', 1);
    await orders().get(Switches).set(RECOMMENDATIONS, 'off', OPERATOR);
    await whenTraffic((view) =>
      expect(view.switch).toMatchObject({ state: 'off', source: 'manual', by: 'ada' }),
    );
    const { asked } = orders().get(Recommender);
    expect(await recommended(body.id)).toMatchObject({ body: { basis: 'bestsellers' } });
    expect(orders().get(Recommender).asked).toBe(asked);
  });

  it('do without them by themselves while they fail, and have them again when they are well', async () => {
    const { body } = await order('nut', 1);
    breakRecommender('failing');
    await vi.waitFor(async () => {
      await Promise.all(Array.from({ length: 5 }, () => recommended(body.id)));
      expect((await traffic()).switch).toMatchObject({ state: 'off', source: 'automatic' });
    }, PATIENCE);
    breakRecommender(null);
    await vi.waitFor(async () => {
      expect((await recommended(body.id)).body.basis).toBe('order');
      expect((await traffic()).switch.state).toBe('on');
    }, PATIENCE);
  });

  it('break no recommender where nobody has asked for that', async () => {
    const { status } = await call('demo-orders', 'POST', '/demo/recommender?fault=failing');
    expect(status).toBe(404);
  });
});
