import { setTimeout as pause } from 'node:timers/promises';
import {
  type Prices,
  PRICES,
  PRICES_OPTIONS,
} from '../../../apps/demo-shared/src/config/prices.config.js';
import {
  RECONCILER_OPTIONS,
  RECONCILER_SETTINGS,
  type ReconcilerSettings,
} from '../../../apps/demo-shared/src/config/reconciler.config.js';
import { duration, money } from '../narrator.js';
import { everywhere } from './config-views.js';
import { PATIENCE_MS, type Scene } from './scene.js';

const DEARER: Prices = { bolt: 30, nut: 10, lamp: 4500 };
const AT_ONCE_MS = 1000;
/** More than two rounds of a reconciler that goes on. */
const PAUSED_MS = 500;

/** Settings and prices change in all processes at once, and none is restarted. */
export async function goodPushAct({ narrator, stage, observer, desk }: Scene): Promise<void> {
  const { configs } = observer;
  const { actors } = stage;
  narrator.act(
    'A good push',
    "Prices and the reconciler's settings are properties under @WatchConfig, with a zod schema and a default. While the reconciler is paused, bolts become dearer. Nothing is restarted.",
  );
  const settings = { schema: RECONCILER_OPTIONS.schema };
  await configs.set(
    RECONCILER_SETTINGS,
    { paused: true },
    { ...settings, reason: 'The stock is counted.' },
  );
  await everywhere<ReconcilerSettings>(actors, RECONCILER_SETTINGS, ({ value }) => value.paused);
  narrator.happens(`The reconciler is paused: all ${actors.length} have read it.`);
  const early = await desk.place('bolt', 2);

  narrator.expect(`all have the new price of bolts within ${duration(AT_ONCE_MS)}`);
  const { revision } = await configs.set(PRICES, DEARER, {
    schema: PRICES_OPTIONS.schema,
    reason: 'Steel is dearer.',
  });
  const setAt = performance.now();
  const views = await everywhere<Prices>(
    actors,
    PRICES,
    (view) => view.revision === revision.toString(),
  );
  const took = performance.now() - setAt;
  const bolts = views.map(({ value }) => value.bolt ?? 0);
  narrator.seen(
    `bolts at ${[...new Set(bolts.map(money))].join(', ')} in ${views.length} processes, ${duration(took)} after etcd took it`,
    took <= AT_ONCE_MS && bolts.every((bolt) => bolt === DEARER.bolt),
  );

  const orders = [early, await desk.place('bolt', 2)];
  narrator.expect('two orders, one from before and one from after, wait: the leader is paused');
  await pause(PAUSED_MS);
  const waiting = await desk.look(orders);
  narrator.seen(
    waiting.map(({ id, status, price }) => `${id} at ${money(price)} is ${status}`).join(', '),
    waiting.length === orders.length && waiting.every(({ status }) => status === 'pending'),
  );

  await configs.set(RECONCILER_SETTINGS, {}, { ...settings, reason: 'The stock is counted.' });
  narrator.happens('The reconciler goes on.');
  narrator.expect('both are settled, each at the price that it was taken at');
  const settled = await desk.settled(orders, PATIENCE_MS);
  narrator.seen(
    settled.map(({ id, status, price }) => `${id} ${status} at ${money(price)}`).join(', '),
    settled.map(({ price }) => price).join() === `${PRICES_OPTIONS.default.bolt},${DEARER.bolt}`,
  );
}
