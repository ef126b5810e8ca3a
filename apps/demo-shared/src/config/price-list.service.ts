import { Injectable, Logger } from '@nestjs/common';
import { type ConfigChange, WatchConfig } from 'nestjs-etcd-coordination';
import { type Prices, PRICES, PRICES_OPTIONS } from './prices.config.js';

/** The prices that count now. */
@Injectable()
export class PriceList {
  private readonly logger = new Logger(PriceList.name);

  /** Always the present list, which is replaced whole; reading it makes no call. */
  @WatchConfig(PRICES, PRICES_OPTIONS)
  readonly prices!: Prices;

  /** What a piece costs in cents, or null for what has no price. */
  of(sku: string): number | null {
    // An article may be called "constructor".
    return Object.hasOwn(this.prices, sku) ? (this.prices[sku] ?? null) : null;
  }

  @WatchConfig(PRICES, PRICES_OPTIONS)
  tell(_prices: Prices, { differences, source, revision }: ConfigChange<Prices>): void {
    const what = differences.map(
      ({ path, before, after }) =>
        `${path.join('.') || 'all'} ${JSON.stringify(before) ?? 'unpriced'} -> ${JSON.stringify(after) ?? 'unpriced'}`,
    );
    this.logger.log(`Prices by ${source}, revision ${revision}: ${what.join(', ')}.`);
  }
}
