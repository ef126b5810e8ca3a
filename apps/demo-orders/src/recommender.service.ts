import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { currentCall } from 'nestjs-etcd-coordination';
import { PriceList } from '../../demo-shared/src/config/price-list.service.js';
import type { Order } from '../../demo-shared/src/data/model.js';

/** What can be wrong with the recommender. */
export const RECOMMENDER_FAULTS = ['failing', 'hanging'] as const;
export type RecommenderFault = (typeof RECOMMENDER_FAULTS)[number];

const HANGS_MS = 30_000;

/** Finds what may please a customer. Stands for a service of somebody else, and can be broken as one would be. */
@Injectable()
export class Recommender {
  /** What is wrong with it in this process; null if it is well. */
  fault: RecommenderFault | null = null;
  private asks = 0;

  constructor(private readonly priceList: PriceList) {}

  /** How often it was asked since the start. */
  get asked(): number {
    return this.asks;
  }

  /** The other articles, those of a like price first. */
  async ask({ sku, price }: Order): Promise<readonly string[]> {
    this.asks += 1;
    if (this.fault === 'failing') throw new Error('The recommender has lost its model.');
    if (this.fault === 'hanging') {
      await pause(HANGS_MS, undefined, { signal: currentCall()?.signal });
    }
    const distance = (other: number) => Math.abs(Math.log(other / price));
    return Object.entries(this.priceList.prices)
      .filter(([other]) => other !== sku)
      .sort(([, a], [, b]) => distance(a) - distance(b))
      .map(([other]) => other);
  }
}
