import { describe, expect, it } from 'vitest';
import type { Order } from '../data/model.js';
import { decide } from './decide.js';

const order = (quantity: number): Order => ({
  id: 'order-1',
  sku: 'lamp',
  quantity,
  price: 450,
  status: 'pending',
  takenBy: 'orders-1',
  takenAt: '2026-11-23T12:00:00.000Z',
});

describe('decide', () => {
  it('reconciles an order that the stock covers, to the last piece, at its own price', () => {
    expect(decide(order(3), { sku: 'lamp', onHand: 3 })).toEqual({
      status: 'reconciled',
      delta: -3,
      amount: 1350,
    });
  });

  it('rejects an order that the stock does not cover, and fills none in part', () => {
    expect(decide(order(4), { sku: 'lamp', onHand: 3 })).toEqual({
      status: 'rejected',
      delta: 0,
      amount: 0,
      reason: '4 of lamp were ordered and 3 are on hand',
    });
  });

  it('rejects an order of what was never in stock', () => {
    expect(decide(order(1), null)).toEqual({
      status: 'rejected',
      delta: 0,
      amount: 0,
      reason: 'there is no stock of lamp',
    });
  });
});
