import type {
  LedgerEntry,
  Order,
  OrderLedgerEntry,
  Reservation,
  StockItem,
  TrailRecord,
} from '../data/model.js';
import type { Versioned } from '../data/versioned.js';
import { checkReservations } from './check-reservations.js';
import { checkTrail } from './check-trail.js';

/** Everything that the demo keeps in etcd, as it was at one revision. */
export interface Books {
  readonly orders: readonly Versioned<Order>[];
  readonly pending: ReadonlySet<string>;
  readonly stock: readonly Versioned<StockItem>[];
  readonly reservations: readonly Versioned<Reservation>[];
  readonly ledger: readonly Versioned<LedgerEntry>[];
  readonly trail: readonly Versioned<TrailRecord>[];
}

/** The sums of one article. */
export interface SkuSums {
  readonly sku: string;
  readonly putIn: number;
  readonly sold: number;
  /** Set aside, and not on hand any more. */
  readonly reserved: number;
  readonly onHand: number;
  /** What the sold ones brought in, in cents. */
  readonly earned: number;
}

/** What the books say, and every rule that they break. */
export interface AuditReport {
  readonly orders: number;
  readonly pending: number;
  readonly reconciled: number;
  readonly rejected: number;
  readonly reservations: number;
  /** How many orders have their record in the trail. */
  readonly trail: number;
  /** How many orders each term settled, in the order of the terms. */
  readonly terms: readonly { epoch: string; settledBy: string; orders: number }[];
  readonly stock: readonly SkuSums[];
  /** What all settled orders brought in, in cents. */
  readonly earned: number;
  /** A sentence for each rule that does not hold; empty if all is well. */
  readonly violations: readonly string[];
}

/**
 * Checks the rules that must hold at every revision, from what is in etcd alone:
 * no order lost, none settled twice, stock and money add up, no term and no lock wrote after a
 * later one.
 */
export function audit(books: Books): AuditReport {
  const entries = byOrder(books.ledger);
  const violations = [
    ...books.orders.flatMap((order) => checkOrder(order, books.pending, entries)),
    ...checkStrays(books, entries),
    ...checkEpochs(books.ledger),
    ...checkReservations(books),
    ...checkTrail(books),
  ];
  const stock = books.stock.map(({ value }) => sumOf(value, books.ledger));
  for (const { sku, putIn, sold, reserved, onHand } of stock) {
    if (putIn - sold - reserved !== onHand) {
      violations.push(
        `${sku}: ${putIn} put in less ${sold} sold and ${reserved} reserved is not the ${onHand} on hand.`,
      );
    }
    if (onHand < 0) violations.push(`${sku}: ${onHand} on hand is less than nothing.`);
  }
  const count = (status: Order['status']) =>
    books.orders.filter(({ value }) => value.status === status).length;
  return {
    orders: books.orders.length,
    pending: count('pending'),
    reconciled: count('reconciled'),
    rejected: count('rejected'),
    reservations: books.reservations.length,
    trail: books.trail.length,
    terms: termsOf(books.ledger),
    stock,
    earned: stock.reduce((total, { earned }) => total + earned, 0),
    violations,
  };
}

function byOrder(ledger: Books['ledger']): Map<string, OrderLedgerEntry[]> {
  const entries = new Map<string, OrderLedgerEntry[]>();
  for (const { value } of ledger) {
    if (value.kind !== 'order') continue;
    entries.set(value.orderId, [...(entries.get(value.orderId) ?? []), value]);
  }
  return entries;
}

function checkOrder(
  { value: order, version }: Versioned<Order>,
  pending: ReadonlySet<string>,
  entries: ReadonlyMap<string, OrderLedgerEntry[]>,
): string[] {
  const problems: string[] = [];
  const own = entries.get(order.id) ?? [];
  const isPending = order.status === 'pending';
  if (pending.has(order.id) !== isPending) {
    problems.push(
      isPending
        ? `Order ${order.id} waits, and no leader would find it.`
        : `Order ${order.id} is ${order.status} and still listed as pending.`,
    );
  }
  // Etcd counts the writes of a key: one takes the order, one settles it.
  if (version !== (isPending ? 1 : 2)) {
    problems.push(`Order ${order.id} is ${order.status} and was written ${version} times.`);
  }
  if (own.length !== (isPending ? 0 : 1)) {
    problems.push(`Order ${order.id} is ${order.status} and has ${own.length} ledger entries.`);
  }
  const sold = order.status === 'reconciled' ? order.quantity : 0;
  for (const entry of own) {
    if (entry.amount !== sold * order.price) {
      problems.push(
        `Order ${order.id} was settled for ${entry.amount} and comes to ${sold} × ${order.price}.`,
      );
    }
    if (entry.delta !== 0 - sold || entry.sku !== order.sku || entry.epoch !== order.epoch) {
      problems.push(`Order ${order.id} and its ledger entry do not agree.`);
    }
  }
  return problems;
}

function checkStrays(books: Books, entries: ReadonlyMap<string, OrderLedgerEntry[]>): string[] {
  const orders = new Set(books.orders.map(({ value }) => value.id));
  const skus = new Set(books.stock.map(({ value }) => value.sku));
  return [
    ...[...entries.keys()]
      .filter((id) => !orders.has(id))
      .map((id) => `Order ${id} is in the ledger and nowhere else.`),
    ...[...books.pending]
      .filter((id) => !orders.has(id))
      .map((id) => `Order ${id} is listed as pending and nowhere else.`),
    ...books.ledger
      .filter(({ value }) => value.delta !== 0 && !skus.has(value.sku))
      .map(({ key, value }) => `${key} changes a stock of ${value.sku}, and there is none.`),
  ];
}

/** A write of an earlier term that lies behind one of a later term got past its fence. */
function checkEpochs(ledger: Books['ledger']): string[] {
  let newest = 0n;
  const problems: string[] = [];
  for (const { key, epoch } of settlements(ledger)) {
    if (epoch < newest) {
      problems.push(`${key} was written by epoch ${epoch} after epoch ${newest} had written.`);
    } else {
      newest = epoch;
    }
  }
  return problems;
}

function termsOf(ledger: Books['ledger']): AuditReport['terms'] {
  const terms = new Map<bigint, { epoch: string; settledBy: string; orders: number }>();
  for (const { epoch, settledBy } of settlements(ledger)) {
    const orders = (terms.get(epoch)?.orders ?? 0) + 1;
    terms.set(epoch, { epoch: epoch.toString(), settledBy, orders });
  }
  return [...terms.values()];
}

/** The settled orders, in the order in which etcd took them. */
function settlements(ledger: Books['ledger']) {
  return ledger
    .flatMap(({ key, value, modRevision }) => {
      if (value.kind !== 'order') return [];
      const { epoch, settledBy } = value;
      return [{ key, settledBy, epoch: BigInt(epoch), revision: BigInt(modRevision) }];
    })
    .sort((a, b) => (a.revision < b.revision ? -1 : 1));
}

function sumOf({ sku, onHand }: StockItem, ledger: Books['ledger']): SkuSums {
  const sums = { putIn: 0, sold: 0, reserved: 0, earned: 0 };
  for (const { value: entry } of ledger) {
    if (entry.sku !== sku) continue;
    if (entry.kind === 'stock') {
      sums.putIn += entry.delta;
    } else if (entry.kind === 'reservation') {
      sums.reserved -= entry.delta;
    } else {
      sums.sold -= entry.delta;
      sums.earned += entry.amount;
    }
  }
  return { sku, ...sums, onHand };
}
