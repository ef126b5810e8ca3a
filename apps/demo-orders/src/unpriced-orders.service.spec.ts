import type { ConfigChange, ConfigReleases } from 'nestjs-etcd-coordination';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Prices } from '../../demo-shared/src/config/prices.config.js';
import { UnpricedOrders } from './unpriced-orders.service.js';

describe('the health of the present prices', () => {
  let orders: UnpricedOrders;
  let asked: () => unknown;

  beforeEach(() => {
    const releases = {
      healthCheck: (_name: string, check: () => unknown) => (asked = check),
    } as unknown as ConfigReleases;
    orders = new UnpricedOrders(releases);
  });

  const count = (priced: number, unpriced: number) => {
    for (let i = 0; i < priced; i += 1) orders.count(true);
    for (let i = 0; i < unpriced; i += 1) orders.count(false);
  };

  it('is what a release asks for', () => {
    expect(asked()).toBe(true);
    count(0, 5);
    expect(asked()).toBe('5 of 5 orders since the last change of prices had no price');
  });

  it('bears the few who ask for what was never sold', () => {
    count(8, 2);
    expect(asked()).toBe(true);
    count(0, 1);
    expect(asked()).toBe('3 of 11 orders since the last change of prices had no price');
  });

  it('judges by no less than five orders', () => {
    count(0, 4);
    expect(asked()).toBe(true);
  });

  it('begins anew with other prices', () => {
    count(0, 5);
    orders.startAnew({}, {} as ConfigChange<Prices>);
    count(5, 0);
    expect(asked()).toBe(true);
    count(0, 2);
    expect(asked()).toBe('2 of 7 orders since the last change of prices had no price');
  });
});
