import { Body, Controller, Get, NotFoundException, Param, Put } from '@nestjs/common';
import type { StockItem } from '../../demo-shared/src/data/model.js';
import { parseSku, ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { parseStockRequest, type StockRequest } from './stock-request.js';
import { StockService } from './stock.service.js';

@Controller('stock')
export class StockController {
  constructor(private readonly stock: StockService) {}

  /** Sets what is on hand of an article. */
  @Put(':sku')
  set(
    @Param('sku', new ParseWith(parseSku)) sku: string,
    @Body(new ParseWith(parseStockRequest)) { quantity }: StockRequest,
  ): Promise<StockItem> {
    return this.stock.set(sku, quantity);
  }

  @Get()
  list(): Promise<StockItem[]> {
    return this.stock.list();
  }

  @Get(':sku')
  async find(@Param('sku', new ParseWith(parseSku)) sku: string): Promise<StockItem> {
    const item = await this.stock.find(sku);
    if (!item) throw new NotFoundException(`There is no stock of ${sku}.`);
    return item;
  }
}
