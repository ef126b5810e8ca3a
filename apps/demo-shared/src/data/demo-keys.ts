/** The election that both services stand in. */
export const RECONCILER = 'reconciler';

/** The name under which the processes that keep the stock are found. */
export const INVENTORY = 'demo-inventory';

/** Builds every key of the demo's own data. The library's keys lie beside them, in a folder for each feature. */
export class DemoKeys {
  readonly root: string;
  readonly orders: string;
  readonly pending: string;
  readonly stock: string;
  readonly reservations: string;
  readonly ledger: string;
  readonly trail: string;
  /** The namespace given to the library. */
  readonly coordination: string;

  constructor(prefix: string) {
    this.root = `${prefix}/`;
    this.orders = `${prefix}/orders/`;
    this.pending = `${prefix}/pending/`;
    this.stock = `${prefix}/stock/`;
    this.reservations = `${prefix}/reservations/`;
    this.ledger = `${prefix}/ledger/`;
    this.trail = `${prefix}/trail/`;
    this.coordination = prefix;
  }

  order(id: string): string {
    return this.orders + id;
  }

  /** Stands while the order is pending, so that a leader need not read all orders to find its work. */
  pendingOrder(id: string): string {
    return this.pending + id;
  }

  stockOf(sku: string): string {
    return this.stock + sku;
  }

  /** One place for each order: a second settlement of the same order would need the same key. */
  orderLedger(sku: string, orderId: string): string {
    return `${this.ledger}${sku}/order/${orderId}`;
  }

  stockLedger(sku: string, id: string): string {
    return `${this.ledger}${sku}/stock/${id}`;
  }

  reservation(id: string): string {
    return this.reservations + id;
  }

  /** One place for each reservation, as for each order. */
  reservationLedger(sku: string, id: string): string {
    return `${this.ledger}${sku}/reservation/${id}`;
  }

  /** One place for each order: its record can be put again, and is still one. */
  trailOf(orderId: string): string {
    return this.trail + orderId;
  }

  /** Where one that was frozen tries to leave a note after its term, or its lock, is over. */
  lateNote(token: bigint): string {
    return `${this.root}late-note/${token}`;
  }

  /** A key as `EtcdTransactions` and `WriteBatcher` take it: without the namespace. */
  inNamespace(key: string): string {
    return key.slice(this.root.length);
  }
}
