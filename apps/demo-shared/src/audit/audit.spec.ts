import { describe, expect, it } from 'vitest';
import type { LedgerEntry, Order, Reservation, TrailRecord } from '../data/model.js';
import type { Versioned } from '../data/versioned.js';
import { audit, type Books } from './audit.js';

function at<T>(key: string, value: T, modRevision: number, version = 1): Versioned<T> {
  return { key, value, modRevision: String(modRevision), createRevision: '1', version };
}

const TAKEN_AT = '2026-11-23T12:00:00.000Z';

const order = (id: string, epoch: string): Order => ({
  id,
  sku: 'bolt',
  quantity: 2,
  price: 25,
  status: 'reconciled',
  epoch,
  takenBy: 'orders-1',
  settledBy: 'orders-1',
  takenAt: TAKEN_AT,
});

const entry = (orderId: string, epoch: string): LedgerEntry => ({
  kind: 'order',
  sku: 'bolt',
  delta: -2,
  amount: 50,
  orderId,
  epoch,
  settledBy: 'orders-1',
});

const reservation = (id: string, token: string): Reservation => ({
  ...{ id, sku: 'bolt', quantity: 1, token, reservedBy: 'inventory-1' },
});

const reserved = (reservationId: string, token: string): LedgerEntry => ({
  ...{ kind: 'reservation', sku: 'bolt', delta: -1 },
  ...{ reservationId, token, reservedBy: 'inventory-1' },
});

const record = (orderId: string): TrailRecord => ({
  ...{ orderId, sku: 'bolt', quantity: 2, price: 25 },
  ...{ takenBy: 'orders-1', takenAt: TAKEN_AT },
});

/** Ten bolts put in, two orders of two settled by two terms, one order waiting, two reservations of one. */
function goodBooks(): Books {
  const waiting: Order = {
    id: 'c',
    sku: 'bolt',
    quantity: 1,
    price: 30,
    status: 'pending',
    takenBy: 'orders-2',
    takenAt: TAKEN_AT,
  };
  return {
    orders: [
      at('orders/a', order('a', '9'), 20, 2),
      at('orders/b', order('b', '21'), 30, 2),
      at('orders/c', waiting, 31),
    ],
    pending: new Set(['c']),
    stock: [at('stock/bolt', { sku: 'bolt', onHand: 4 }, 33, 5)],
    reservations: [
      at('reservations/r', reservation('r', '9'), 32),
      at('reservations/s', reservation('s', '10'), 33),
    ],
    ledger: [
      at<LedgerEntry>('ledger/bolt/stock/1', { kind: 'stock', sku: 'bolt', delta: 10 }, 10),
      // Etcd lists by key, and the books must not mind.
      at('ledger/bolt/order/b', entry('b', '21'), 30),
      at('ledger/bolt/order/a', entry('a', '9'), 20),
      at('ledger/bolt/reservation/r', reserved('r', '9'), 32),
      at('ledger/bolt/reservation/s', reserved('s', '10'), 33),
    ],
    // Nobody was answered for the last one yet.
    trail: [at('trail/a', record('a'), 3), at('trail/b', record('b'), 4)],
  };
}

const violationsOf = (change: Partial<Books>) => audit({ ...goodBooks(), ...change }).violations;

describe('audit', () => {
  it('finds nothing wrong with good books, and adds them up', () => {
    expect(audit(goodBooks())).toEqual({
      orders: 3,
      pending: 1,
      reconciled: 2,
      rejected: 0,
      reservations: 2,
      trail: 2,
      terms: [
        { epoch: '9', settledBy: 'orders-1', orders: 1 },
        { epoch: '21', settledBy: 'orders-1', orders: 1 },
      ],
      stock: [{ sku: 'bolt', putIn: 10, sold: 4, reserved: 2, onHand: 4, earned: 100 }],
      earned: 100,
      violations: [],
    });
  });

  it('finds stock that does not add up', () => {
    const stock = [at('stock/bolt', { sku: 'bolt', onHand: 5 }, 33, 5)];
    expect(violationsOf({ stock })).toEqual([
      'bolt: 10 put in less 4 sold and 2 reserved is not the 5 on hand.',
    ]);
  });

  it('finds an order that was settled twice', () => {
    const [first, ...others] = goodBooks().orders;
    expect(violationsOf({ orders: [{ ...first!, version: 3 }, ...others] })).toEqual([
      'Order a is reconciled and was written 3 times.',
    ]);
  });

  it('finds a waiting order that no leader would find', () => {
    expect(violationsOf({ pending: new Set() })).toEqual([
      'Order c waits, and no leader would find it.',
    ]);
  });

  it('finds an order that is lost', () => {
    expect(violationsOf({ orders: goodBooks().orders.slice(1) })).toEqual([
      'Order a is in the ledger and nowhere else.',
      'trail/a is the record of no order.',
    ]);
  });

  it('finds a settlement without a ledger entry', () => {
    const ledger = goodBooks().ledger.slice(0, 2);
    expect(violationsOf({ ledger })).toContain('Order a is reconciled and has 0 ledger entries.');
  });

  it('finds an order that was settled at another price than it was taken at', () => {
    const [first, ...others] = goodBooks().orders;
    const dearer = { ...first!, value: { ...first!.value, price: 30 } };
    expect(violationsOf({ orders: [dearer, ...others] })).toEqual([
      'Order a was settled for 50 and comes to 2 × 30.',
      'Order a and its record do not agree in price.',
    ]);
  });

  it('finds money for an order that was rejected', () => {
    const [first, ...others] = goodBooks().orders;
    const rejected = { ...first!, value: { ...first!.value, status: 'rejected' as const } };
    expect(violationsOf({ orders: [rejected, ...others] })).toContain(
      'Order a was settled for 50 and comes to 0 × 25.',
    );
  });

  it('finds the write of a term that was over', () => {
    const [stock, late, early, ...others] = goodBooks().ledger;
    const swapped = [
      { ...late!, modRevision: '20' },
      { ...early!, modRevision: '30' },
    ];
    const ledger = [stock!, ...swapped, ...others];
    expect(violationsOf({ ledger })).toEqual([
      'ledger/bolt/order/a was written by epoch 9 after epoch 21 had written.',
    ]);
  });

  it('finds the write of a lock that was lost', () => {
    const ledger = goodBooks().ledger.map((line) =>
      line.key.endsWith('/r') ? { ...line, modRevision: '34' } : line,
    );
    expect(violationsOf({ ledger })).toEqual([
      'ledger/bolt/reservation/r was written under token 9 after token 10 had written.',
    ]);
  });

  it('finds a reservation that took nothing, and what was taken for none', () => {
    const ledger = goodBooks().ledger.filter(({ key }) => !key.endsWith('/r'));
    expect(violationsOf({ ledger })).toContain('Reservation r has 0 ledger entries.');
    expect(violationsOf({ reservations: goodBooks().reservations.slice(1) })).toEqual([
      'Reservation r is in the ledger and nowhere else.',
    ]);
  });

  it('finds a reservation that was made twice', () => {
    const [first, ...others] = goodBooks().reservations;
    expect(violationsOf({ reservations: [{ ...first!, version: 2 }, ...others] })).toEqual([
      'Reservation r was written 2 times.',
    ]);
    const more = { ...first!, value: { ...first!.value, quantity: 2 } };
    expect(violationsOf({ reservations: [more, ...others] })).toEqual([
      'Reservation r and its ledger entry do not agree.',
    ]);
  });

  it('finds a record of what never was an order, and one that says something else', () => {
    const [first, ...others] = goodBooks().trail;
    expect(violationsOf({ trail: [at('trail/x', record('x'), 5), ...others] })).toEqual([
      'trail/x is the record of no order.',
    ]);
    expect(violationsOf({ trail: [{ ...first!, key: 'trail/c' }, ...others] })).toEqual([
      'trail/c is the record of no order.',
    ]);
    const other = { ...first!.value, price: 30, takenBy: 'orders-2' };
    expect(violationsOf({ trail: [{ ...first!, value: other }, ...others] })).toEqual([
      'Order a and its record do not agree in price, takenBy.',
    ]);
  });
});
