import { isDeepStrictEqual } from 'node:util';
import type { Order, TrailRecord } from '../../../apps/demo-shared/src/data/model.js';
import { money } from '../narrator.js';
import type { Scene } from './scene.js';

/** What must hold at the end, read from etcd alone. */
export async function sumsAct({ narrator, observer, desk }: Scene): Promise<void> {
  narrator.act(
    'The sums',
    'Orders, reservations, stock, ledger and trail are read from etcd at one revision, and compared with each other and with what the customers were told.',
  );
  const books = await observer.audit();
  const orders = new Map((await observer.orders()).map((order) => [order.id, order]));
  const lost = desk.placed.filter(({ id }) => !orders.has(id));
  narrator.expect(
    `no order is lost: all ${desk.placed.length} that were answered for are in etcd, none is pending`,
  );
  narrator.seen(
    `${books.orders} orders: ${books.reconciled} reconciled, ${books.rejected} rejected, ${books.pending} pending, ${lost.length} lost`,
    lost.length === 0 && books.orders === desk.placed.length && books.pending === 0,
  );
  narrator.expect(
    'none is settled twice, stock adds up, and no term and no lock wrote after a later one',
  );
  narrator.seen(
    books.violations.length === 0 ? 'every rule holds' : books.violations.join(' '),
    books.violations.length === 0,
  );
  narrator.expect('nobody pays another price than the one that the order was taken at');
  const told = desk.placed.filter(({ id, price }) => orders.get(id)?.price === price);
  narrator.seen(
    `${told.length} of ${desk.placed.length} orders have the price that was told; ${money(books.earned)} earned`,
    told.length === desk.placed.length,
  );
  narrator.expect(
    'each order that was answered for has its one record in the trail, as it was told',
  );
  const trail = await observer.trail();
  const recorded = desk.placed.filter((order) => isRecordOf(trail.get(order.id), order));
  narrator.seen(
    `${books.trail} records, ${recorded.length} of them as told`,
    books.trail === desk.placed.length && recorded.length === desk.placed.length,
  );
  narrator.table(
    books.stock.map(({ sku, putIn, sold, reserved, onHand, earned }) => [
      sku,
      `${putIn} put in`,
      `- ${sold} sold`,
      `- ${reserved} reserved`,
      `= ${onHand} on hand`,
      `${money(earned)} earned`,
    ]),
  );
  narrator.table(
    books.terms.map(({ epoch, settledBy, orders }) => [
      `epoch ${epoch}`,
      settledBy,
      `${orders} orders settled`,
    ]),
  );
}

function isRecordOf(record: TrailRecord | undefined, order: Order): boolean {
  const { sku, quantity, price, takenBy, takenAt } = order;
  const told = { orderId: order.id, sku, quantity, price, takenBy, takenAt };
  return isDeepStrictEqual(record, told);
}
