import { Body, Controller, Get, Headers, NotFoundException, Param, Post } from '@nestjs/common';
import type { Order } from '../../demo-shared/src/data/model.js';
import { parseId, ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { type OrderRequest, parseIdempotencyKey, parseOrderRequest } from './order-request.js';
import { OrdersService } from './orders.service.js';

@Controller('orders')
export class OrdersController {
  constructor(private readonly orders: OrdersService) {}

  /** Takes an order; it is pending until the reconciler has settled it. */
  @Post()
  take(
    @Body(new ParseWith(parseOrderRequest)) request: OrderRequest,
    @Headers('idempotency-key') idempotencyKey: unknown,
  ): Promise<Order> {
    const key = new ParseWith(parseIdempotencyKey).transform(idempotencyKey);
    return this.orders.take(request, key);
  }

  @Get()
  list(): Promise<Order[]> {
    return this.orders.list();
  }

  @Get(':id')
  async find(@Param('id', new ParseWith(parseId('id'))) id: string): Promise<Order> {
    const order = await this.orders.find(id);
    if (!order) throw new NotFoundException(`There is no order ${id}.`);
    return order;
  }
}
