import { Body, Controller, Get, Headers, NotFoundException, Param, Post } from '@nestjs/common';
import { RateLimit } from 'nestjs-etcd-coordination';
import type { Order } from '../../demo-shared/src/data/model.js';
import { parseId, ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { type OrderRequest, parseIdempotencyKey, parseOrderRequest } from './order-request.js';
import { OrdersService } from './orders.service.js';
import { type Recommendation, Recommendations } from './recommendations.service.js';
import { ORDERS_LIMIT } from './traffic.js';

@Controller('orders')
export class OrdersController {
  constructor(
    private readonly orders: OrdersService,
    private readonly recommendations: Recommendations,
  ) {}

  /**
   * Takes an order; it is pending until the reconciler has settled it. 429 with `Retry-After` when the
   * processes of demo-orders take as many as they may already.
   */
  @Post()
  @RateLimit(ORDERS_LIMIT)
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

  /** What else may please whoever placed the order. */
  @Get(':id/recommendations')
  async recommend(@Param('id', new ParseWith(parseId('id'))) id: string): Promise<Recommendation> {
    return this.recommendations.of(await this.find(id));
  }
}
