import { Body, Controller, Get, Inject, NotFoundException, Param, Put } from '@nestjs/common';
import { PriceList } from '../../demo-shared/src/config/price-list.service.js';
import type { StockItem } from '../../demo-shared/src/data/model.js';
import { parseSku, ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import { parseStockRequest, type StockRequest } from './stock-request.js';
import { StockService } from './stock.service.js';

/** An article with what its stock would bring in at the prices of now, in cents; null without a price. And who says so. */
export interface StockView extends StockItem {
  readonly worth: number | null;
  readonly servedBy: string;
}

@Controller('stock')
export class StockController {
  constructor(
    private readonly stock: StockService,
    private readonly priceList: PriceList,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  /** Sets what is on hand of an article. */
  @Put(':sku')
  async set(
    @Param('sku', new ParseWith(parseSku)) sku: string,
    @Body(new ParseWith(parseStockRequest)) { quantity }: StockRequest,
  ): Promise<StockView> {
    return this.view(await this.stock.set(sku, quantity));
  }

  @Get()
  async list(): Promise<StockView[]> {
    const items = await this.stock.list();
    return items.map((item) => this.view(item));
  }

  @Get(':sku')
  async find(@Param('sku', new ParseWith(parseSku)) sku: string): Promise<StockView> {
    const item = await this.stock.find(sku);
    if (!item) throw new NotFoundException(`There is no stock of ${sku}.`);
    return this.view(item);
  }

  private view(item: StockItem): StockView {
    const price = this.priceList.of(item.sku);
    const worth = price === null ? null : item.onHand * price;
    return { ...item, worth, servedBy: this.settings.instanceId };
  }
}
