import type { Order } from '../../apps/demo-shared/src/data/model.js';
import type { Actor, Stage } from './stage.js';
import { until } from './until.js';

const TAKEN_WITHIN_MS = 10_000;

/**
 * Places orders as a careful customer does: one that got no answer is placed again under the same
 * Idempotency-Key, with another process. Remembers every order that was answered for.
 */
export class OrderDesk {
  private readonly accepted: Order[] = [];
  private next = 0;

  constructor(private readonly stage: Stage) {}

  /** All orders that a service has said it took, as it answered. */
  get placed(): readonly Order[] {
    return this.accepted;
  }

  /** Places one order with any process but `except`. */
  async place(sku: string, quantity: number, except?: Actor): Promise<string> {
    this.next += 1;
    const id = `order-${String(this.next).padStart(3, '0')}`;
    let turn = this.next;
    const order = await until(`An answer to ${id}`, TAKEN_WITHIN_MS, async () => {
      const counters = this.stage
        .of('orders')
        .filter((actor) => actor.name !== except?.name && actor.child.running);
      const counter = counters[turn % counters.length];
      turn += 1;
      if (!counter) return null;
      return counter.client
        .call<Order>('POST', '/orders', { sku, quantity }, { 'idempotency-key': id })
        .catch(() => null);
    });
    this.accepted.push(order);
    return id;
  }

  /** Places `count` orders of one to three pieces, going round the articles. */
  async placeMany(count: number, skus: readonly string[], except?: Actor): Promise<string[]> {
    const orders = Array.from({ length: count }, (_, i) =>
      this.place(skus[i % skus.length] ?? '', 1 + (i % 3), except),
    );
    return Promise.all(orders);
  }

  /** Waits until every order of `ids` is settled, and gives them. */
  settled(ids: readonly string[], withinMs: number, except?: Actor): Promise<Order[]> {
    return until(`The settlement of ${ids.length} orders`, withinMs, async () => {
      const orders = await this.look(ids, except).catch(() => []);
      const own = orders.filter(({ status }) => status !== 'pending');
      return own.length === ids.length ? own : null;
    });
  }

  /** How the orders of `ids` stand now, oldest first, as any process but `except` tells it. */
  async look(ids: readonly string[], except?: Actor): Promise<Order[]> {
    const counter = this.stage
      .of('orders')
      .find((actor) => actor.name !== except?.name && actor.child.running);
    const orders = await counter?.client.call<Order[]>('GET', '/orders');
    return (orders ?? []).filter(({ id }) => ids.includes(id));
  }
}
