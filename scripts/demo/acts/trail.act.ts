import { duration } from '../narrator.js';
import { PATIENCE_MS, PLENTY, type Scene } from './scene.js';
import { trailOf } from './traffic-views.js';

const ORDERS = 60;
/** The least number of records that share a transaction, on average. */
const SHARED_BY = 2;

/** Each order leaves a record, and those of orders that come together go to etcd together. */
export async function trailAct({ narrator, stage, observer, desk }: Scene): Promise<void> {
  const doors = stage.of('orders');
  narrator.act(
    'The trail',
    `Of each order a record is kept: who took it, when, at which price. It stands before the customer is answered. The records go through the WriteBatcher, which gathers what comes together. ${ORDERS} orders are placed at once with both processes of demo-orders.`,
  );
  const before = await trailOf(doors);
  const from = performance.now();
  narrator.expect(
    `each has its record, and a transaction carries ${SHARED_BY} or more of them on average`,
  );
  const ids = await desk.placeMany(ORDERS, PLENTY);
  const took = performance.now() - from;
  const after = await trailOf(doors);
  const written = after.written - before.written;
  const transactions = after.transactions - before.transactions;
  const trail = await observer.trail();
  const kept = ids.filter((id) => trail.has(id));
  narrator.seen(
    `${ids.length} orders in ${duration(took)}: ${written} records in ${transactions} transactions, ${kept.length} found in etcd`,
    kept.length === ORDERS && written >= ORDERS && transactions * SHARED_BY <= written,
  );
  const record = trail.get(ids[0] ?? '');
  narrator.detail(`for example ${JSON.stringify(record)}`);
  await desk.settled(ids, PATIENCE_MS);
}
