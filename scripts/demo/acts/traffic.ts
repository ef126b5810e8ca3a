import type { Availability } from '../../../apps/demo-orders/src/inventory-client.service.js';
import type { InventoryInstanceView } from '../../../apps/demo-orders/src/inventory.controller.js';
import { duration } from '../narrator.js';
import type { Actor } from '../stage.js';
import { until } from '../until.js';
import { Customers, slowestMs } from './customers.js';
import { PATIENCE_MS } from './scene.js';

const CUSTOMERS = 6;
const BETWEEN_MS = 15;

/** Customers who look at the stock of an article again and again, at one process of demo-orders. */
export class Traffic {
  /** They come away with the name of the process of demo-inventory that answered. */
  private readonly customers: Customers<string>;

  private constructor(door: Actor, sku: string) {
    this.customers = new Customers([door], CUSTOMERS, BETWEEN_MS, async ({ client }) => {
      const { servedBy } = await client.call<Availability>('GET', `/inventory/${sku}`);
      return servedBy;
    });
  }

  static begin(door: Actor, sku: string): Traffic {
    return new Traffic(door, sku);
  }

  /** Ends it: nobody is cut off. */
  end(): Promise<void> {
    return this.customers.end();
  }

  get count(): number {
    return this.customers.visits.length;
  }

  get failed(): readonly string[] {
    return this.customers.failed;
  }

  /** The longest that a customer has waited. */
  get slowestMs(): number {
    return slowestMs(this.customers.visits);
  }

  /** Who served how many of those that were begun after a moment, and before another one. */
  servedBy(from = -Infinity, to = Infinity): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { got: servedBy } of this.customers.between(from, to)) {
      if (servedBy === null) continue;
      counts.set(servedBy, (counts.get(servedBy) ?? 0) + 1);
    }
    return counts;
  }

  /** Waits until one of these has served a customer who came after the moment. */
  async servedAgain(by: readonly string[], since: number): Promise<number> {
    return until(`A customer served by ${by.join(' or ')}`, PATIENCE_MS, () => {
      const look = this.customers
        .between(since)
        .find(({ got: servedBy }) => servedBy !== null && by.includes(servedBy));
      return look ? look.begunAt : null;
    });
  }

  /** What its customers have seen, for people. */
  summary(from?: number, to?: number): string {
    const shares = [...this.servedBy(from, to)]
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, n]) => `${n} by ${name}`);
    return shares.join(', ') || 'none';
  }
}

/** Whether nobody was turned away, for people and as a fact. */
export function unharmed(traffic: Traffic): [text: string, holds: boolean] {
  const { failed, count, slowestMs } = traffic;
  const first = failed[0] === undefined ? '' : `, such as ${failed[0]}`;
  return [
    `${count} looks at the stock, ${failed.length} failed${first}; the slowest took ${duration(slowestMs)}`,
    failed.length === 0 && count > 0,
  ];
}

/** A process of demo-inventory, as one of demo-orders knows it; null if it is not on its list. */
export async function known(door: Actor, id: string): Promise<InventoryInstanceView | null> {
  const instances = await door.client.call<InventoryInstanceView[]>('GET', '/inventory');
  return instances.find((instance) => instance.id === id) ?? null;
}

/** Waits until a process of demo-orders knows one of demo-inventory to be in one of these states, or gone. Gives when. */
export async function knownAs(
  door: Actor,
  id: string,
  ...states: (InventoryInstanceView['state'] | 'gone')[]
): Promise<number> {
  return until(`${id} to be ${states.join(' or ')} at ${door.name}`, PATIENCE_MS, async () => {
    const instance = await known(door, id);
    return states.includes(instance?.state ?? 'gone') ? performance.now() : null;
  });
}
