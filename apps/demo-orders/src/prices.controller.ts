import { Controller, Get } from '@nestjs/common';
import { PriceList } from '../../demo-shared/src/config/price-list.service.js';
import type { Prices } from '../../demo-shared/src/config/prices.config.js';

@Controller('prices')
export class PricesController {
  constructor(private readonly priceList: PriceList) {}

  /** What a piece of each article costs, in cents. */
  @Get()
  list(): Prices {
    return this.priceList.prices;
  }
}
