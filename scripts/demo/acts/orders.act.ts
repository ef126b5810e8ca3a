import { duration } from '../narrator.js';
import { PATIENCE_MS, reign, type Scene, SHELF } from './scene.js';

const ORDERS = 24;

/** Orders come in over HTTP and the leader settles them. */
export async function ordersAct(scene: Scene): Promise<void> {
  const { narrator, stage, desk } = scene;
  const shelf = Object.entries(SHELF);
  narrator.act(
    'Orders come in',
    `The shelves are filled at demo-inventory (${shelf.map(([sku, n]) => `${n} ${sku}`).join(', ')}), and ${ORDERS} orders are placed with both processes of demo-orders. The lamps will not suffice.`,
  );
  const [inventory] = stage.of('inventory');
  for (const [sku, quantity] of shelf) await inventory?.client.setStock(sku, quantity);
  const start = performance.now();
  const placed = await desk.placeMany(ORDERS, Object.keys(SHELF));
  narrator.happens(`${placed.length} orders taken in ${duration(performance.now() - start)}.`);
  narrator.expect(
    'every order is settled, each by the leader and under its epoch; some lamps are refused',
  );
  const orders = await desk.settled(placed, PATIENCE_MS);
  const took = duration(performance.now() - start);
  const { actor, epoch } = reign(scene);
  const rejected = orders.filter(({ status }) => status === 'rejected');
  const byLeader = orders.filter((order) => order.epoch === epoch.toString());
  narrator.seen(
    `${orders.length - rejected.length} reconciled and ${rejected.length} rejected by ${actor.name} in ${took}`,
    byLeader.length === placed.length &&
      rejected.length > 0 &&
      rejected.every(({ sku }) => sku === 'lamp'),
  );
  if (rejected[0]) narrator.detail(`for example ${rejected[0].id}: ${rejected[0].reason}`);
}
