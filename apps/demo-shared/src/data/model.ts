/** A pending order waits for the reconciler; the other two are final. */
export type OrderStatus = 'pending' | 'reconciled' | 'rejected';

/** An order, at `<prefix>/orders/<id>`. It is written twice: when it is taken and when it is settled. */
export interface Order {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  /** What a piece cost when the order was taken, in cents. It stays, whatever becomes of prices. */
  readonly price: number;
  readonly status: OrderStatus;
  /** Why the order was rejected. */
  readonly reason?: string;
  /** The epoch of the term that settled it, a decimal bigint. */
  readonly epoch?: string;
  /** The instance that took it and, once settled, the one that settled it. */
  readonly takenBy: string;
  readonly settledBy?: string;
  /** When it was taken, as an ISO 8601 date by the clock of who took it. */
  readonly takenAt: string;
}

/**
 * The record of an order, at `<prefix>/trail/<order id>`, for those who ask later who took what. It is
 * made of the order as it was taken, and of nothing else.
 */
export type TrailRecord = Pick<Order, 'sku' | 'quantity' | 'price' | 'takenBy' | 'takenAt'> & {
  readonly orderId: string;
};

/** What is on hand of one article, at `<prefix>/stock/<sku>`. */
export interface StockItem {
  readonly sku: string;
  readonly onHand: number;
}

/**
 * Pieces that were set aside for a customer, at `<prefix>/reservations/<id>`. It is written once,
 * by whoever holds the lock of its article.
 */
export interface Reservation {
  readonly id: string;
  readonly sku: string;
  readonly quantity: number;
  /** The fencing token of the lock that it was made under, a decimal bigint. */
  readonly token: string;
  readonly reservedBy: string;
}

/**
 * One line of the books, at `<prefix>/ledger/<sku>/…`. Every change of stock, every settled order
 * and every reservation has exactly one, so that all sums can be checked from etcd alone.
 */
export type LedgerEntry = StockLedgerEntry | OrderLedgerEntry | ReservationLedgerEntry;

/** Somebody counted or filled up the stock. */
export interface StockLedgerEntry {
  readonly kind: 'stock';
  readonly sku: string;
  /** What it changed the stock by. */
  readonly delta: number;
}

/** A leader settled an order. */
export interface OrderLedgerEntry {
  readonly kind: 'order';
  readonly sku: string;
  /** Minus the quantity of a reconciled order, 0 for a rejected one. */
  readonly delta: number;
  /** What a reconciled order costs in all, in cents; 0 for a rejected one. */
  readonly amount: number;
  readonly orderId: string;
  readonly epoch: string;
  readonly settledBy: string;
}

/** Pieces were set aside. */
export interface ReservationLedgerEntry {
  readonly kind: 'reservation';
  readonly sku: string;
  /** Minus what was set aside. */
  readonly delta: number;
  readonly reservationId: string;
  readonly token: string;
  readonly reservedBy: string;
}
