import type { Books } from './audit.js';

const TOLD = ['sku', 'quantity', 'price', 'takenBy', 'takenAt'] as const;

/**
 * What is wrong with the trail: no record of what never was an order, none that says something else. An
 * order that nobody was answered for yet may have none.
 */
export function checkTrail({ orders, trail }: Books): string[] {
  const taken = new Map(orders.map(({ value }) => [value.id, value]));
  return trail.flatMap(({ key, value: record }) => {
    const order = taken.get(record.orderId);
    if (!order || !key.endsWith(`/${record.orderId}`)) return [`${key} is the record of no order.`];
    const wrong = TOLD.filter((field) => record[field] !== order[field]);
    return wrong.length === 0
      ? []
      : [`Order ${order.id} and its record do not agree in ${wrong.join(', ')}.`];
  });
}
