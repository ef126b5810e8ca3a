import type { Order } from '../../apps/demo-shared/src/data/model.js';
import { RefusedCall } from './service-client.js';
import type { Actor, Stage } from './stage.js';
import { until } from './until.js';

const TAKEN_WITHIN_MS = 10_000;
const TOO_MANY = 429;

/** What came of an order that was asked for once: its id, or null if it was one too many. */
export interface Attempt {
  readonly id: string | null;
  /** When one that was turned away was told to come again. */
  readonly retryAfterSeconds: number | null;
}

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
    const id = this.nextId();
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

  /** Asks for one piece once, at this counter, as one of a crowd does. */
  async tryAt(counter: Actor, sku: string): Promise<Attempt> {
    const headers = { 'idempotency-key': this.nextId() };
    const body = { sku, quantity: 1 };
    try {
      const order = await counter.client.call<Order>('POST', '/orders', body, headers);
      this.accepted.push(order);
      return { id: order.id, retryAfterSeconds: null };
    } catch (error) {
      if (!(error instanceof RefusedCall) || error.status !== TOO_MANY) throw error;
      return { id: null, retryAfterSeconds: error.retryAfterSeconds };
    }
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

  private nextId(): string {
    this.next += 1;
    return `order-${String(this.next).padStart(3, '0')}`;
  }
}
