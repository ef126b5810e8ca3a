import { Inject, Injectable } from '@nestjs/common';
import { Degradable, Resilient } from 'nestjs-etcd-coordination';
import type { Order } from '../../demo-shared/src/data/model.js';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import { Recommender } from './recommender.service.js';
import { RECOMMENDATIONS } from './traffic.js';

/** What a customer who has ordered is recommended. */
export interface Recommendation {
  readonly orderId: string;
  readonly articles: readonly string[];
  /** Found for the order, or what everybody buys. */
  readonly basis: 'order' | 'bestsellers';
  readonly servedBy: string;
}

const BESTSELLERS = ['bolt', 'nut'];

/** Recommends something to whoever has ordered: nice to have, and the first that is done without. */
@Injectable()
export class Recommendations {
  constructor(
    private readonly recommender: Recommender,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  /**
   * What to recommend. Never fails: one call too slow, or failed, is the policy's, and gets the customer
   * bestsellers; when there are too many of them, the switch is cut in the whole fleet, and nobody is asked.
   */
  @Resilient(RECOMMENDATIONS, { fallback: 'bestsellersAfter' })
  @Degradable(RECOMMENDATIONS, { fallback: 'bestsellers' })
  async of(order: Order): Promise<Recommendation> {
    return this.answer(order, 'order', await this.recommender.ask(order));
  }

  /** Asks nobody. */
  bestsellers(order: Order): Recommendation {
    const others = BESTSELLERS.filter((sku) => sku !== order.sku);
    return this.answer(order, 'bestsellers', others);
  }

  bestsellersAfter(_error: unknown, order: Order): Recommendation {
    return this.bestsellers(order);
  }

  private answer(
    { id: orderId }: Order,
    basis: Recommendation['basis'],
    articles: readonly string[],
  ): Recommendation {
    return { orderId, articles, basis, servedBy: this.settings.instanceId };
  }
}
