import type { Order, StockItem } from '../data/model.js';

export type Decision =
  | { readonly status: 'reconciled'; readonly delta: number }
  | { readonly status: 'rejected'; readonly delta: 0; readonly reason: string };

/** Whether the stock covers the order. An order is never filled in part. */
export function decide(order: Order, stock: StockItem | null): Decision {
  if (!stock) return { status: 'rejected', delta: 0, reason: `there is no stock of ${order.sku}` };
  if (stock.onHand < order.quantity) {
    const reason = `${order.quantity} of ${order.sku} were ordered and ${stock.onHand} are on hand`;
    return { status: 'rejected', delta: 0, reason };
  }
  return { status: 'reconciled', delta: -order.quantity };
}
