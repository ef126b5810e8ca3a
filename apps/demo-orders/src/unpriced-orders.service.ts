import { Injectable } from '@nestjs/common';
import { type ConfigChange, ConfigReleases, WatchConfig } from 'nestjs-etcd-coordination';
import { type Prices, PRICES, PRICES_OPTIONS } from '../../demo-shared/src/config/prices.config.js';

/** One customer who asks for what was never sold must not end a release. */
const LEAST_ORDERS = 5;
const TOLERATED_SHARE = 0.2;

/**
 * How well the present prices serve: counts the orders that had to be refused for want of a price
 * since the prices changed. A staged release asks for it, and a list that does harm is taken back
 * from the few instances that have it before the others ever see it.
 */
@Injectable()
export class UnpricedOrders {
  private asked = 0;
  private refused = 0;

  constructor(releases: ConfigReleases) {
    releases.healthCheck('unpriced orders', () => this.check());
  }

  /** Counts an order that was asked for. */
  count(hadPrice: boolean): void {
    this.asked += 1;
    if (!hadPrice) this.refused += 1;
  }

  /** True, or what is wrong. */
  check(): true | string {
    const { asked, refused } = this;
    if (asked < LEAST_ORDERS || refused <= asked * TOLERATED_SHARE) return true;
    return `${refused} of ${asked} orders since the last change of prices had no price`;
  }

  @WatchConfig(PRICES, PRICES_OPTIONS)
  startAnew(_prices: Prices, _change: ConfigChange<Prices>): void {
    this.asked = 0;
    this.refused = 0;
  }
}
