import type { Order, StockItem } from '../data/model.js';

export type Decision =
  | { readonly status: 'reconciled'; readonly delta: number; readonly amount: number }
  | {
      readonly status: 'rejected';
      readonly delta: 0;
      readonly amount: 0;
      readonly reason: string;
    };

/**
 * Whether the stock covers the order, and what it then costs. An order is never filled in part,
 * and keeps the price that it was taken at.
 */
export function decide(order: Order, stock: StockItem | null): Decision {
  if (!stock) return rejected(`there is no stock of ${order.sku}`);
  if (stock.onHand < order.quantity) {
    return rejected(
      `${order.quantity} of ${order.sku} were ordered and ${stock.onHand} are on hand`,
    );
  }
  const { quantity, price } = order;
  return { status: 'reconciled', delta: -quantity, amount: quantity * price };
}

function rejected(reason: string): Decision {
  return { status: 'rejected', delta: 0, amount: 0, reason };
}
