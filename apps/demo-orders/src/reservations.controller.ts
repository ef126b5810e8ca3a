import { randomUUID } from 'node:crypto';
import { Body, Controller, Headers, Post } from '@nestjs/common';
import type { Reservation } from '../../demo-shared/src/data/model.js';
import { ParseWith } from '../../demo-shared/src/http/parse-with.pipe.js';
import { InventoryClient } from './inventory-client.service.js';
import { type OrderRequest, parseIdempotencyKey, parseOrderRequest } from './order-request.js';

@Controller('reservations')
export class ReservationsController {
  constructor(private readonly inventory: InventoryClient) {}

  /** Has pieces set aside for a customer who has not ordered yet. */
  @Post()
  reserve(
    @Body(new ParseWith(parseOrderRequest)) request: OrderRequest,
    @Headers('idempotency-key') idempotencyKey: unknown,
  ): Promise<Reservation> {
    const key = new ParseWith(parseIdempotencyKey).transform(idempotencyKey);
    return this.inventory.reserve(key ?? randomUUID(), request);
  }
}
