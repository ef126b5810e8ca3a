import { setTimeout as pause } from 'node:timers/promises';
import { ORDERS_LIMIT } from '../../../apps/demo-orders/src/traffic.js';
import { duration } from '../narrator.js';
import type { Attempt } from '../order-desk.js';
import { Customers, type Visit } from './customers.js';
import { PATIENCE_MS, PLENTY, type Scene } from './scene.js';
import { OPERATOR, trafficIn } from './traffic-views.js';

const DOCUMENT = `traffic/limits/${ORDERS_LIMIT}`;
/** Orders a second, in the whole fleet. */
const TURNED_DOWN = { limit: 10, burst: 4 };
const AT_ONCE_MS = 1000;
const CUSTOMERS_EACH = 5;
const BETWEEN_MS = 30;
const CROWD_MS = 4000;
/** The machine may be busy; two processes that each let the whole limit through come to twice as many. */
const LEAST_SHARE = 0.7;
const MOST_SHARE = 1.15;
const COME_AGAIN = 30;

/** The fleet's limit of orders is turned down and up again while customers order, and nothing is restarted. */
export async function tooManyOrdersAct(scene: Scene): Promise<void> {
  const { narrator, stage, observer, desk } = scene;
  const doors = stage.of('orders');
  const [declared] = await trafficIn(
    doors,
    'A share of the limit',
    ({ limit }) => limit.share > 0 && limit.members === doors.length,
  );
  narrator.act(
    'Too many orders',
    `POST /orders stands under @RateLimit('${ORDERS_LIMIT}'): ${declared?.limit.numbers.limit} a second, divided among the processes of demo-orders, which decide without asking anybody. The warehouse cannot keep up, and an operator turns it down to ${TURNED_DOWN.limit}; then a crowd comes to ${doors.map(({ name }) => name).join(' and ')}.`,
  );
  const told = { author: OPERATOR, reason: 'The warehouse cannot keep up.' };
  narrator.expect(`it holds in both within ${duration(AT_ONCE_MS)}`);
  await observer.configs.set(DOCUMENT, TURNED_DOWN, told);
  const setAt = performance.now();
  const { limit } = TURNED_DOWN;
  const views = await trafficIn(
    doors,
    'The new limit',
    (view) => view.limit.numbers.limit === limit,
  );
  const took = performance.now() - setAt;
  narrator.seen(`${limit} a second, ${duration(took)} after etcd took it`, took <= AT_ONCE_MS);
  narrator.table(
    views.map(({ instanceId, limit: { numbers, share, members } }) => [
      instanceId,
      `one of ${members}`,
      `${Math.round(share * 100)} % of it: ${(numbers.limit * share).toFixed(1)} a second`,
    ]),
  );

  narrator.expect(
    `about ${limit} orders a second are taken, by both together; the others get 429, and hear when to come again`,
  );
  const crowd = await comesFor(CROWD_MS, scene);
  const { taken, away, seconds } = crowd;
  const untold = away.filter(({ got }) => !((got?.retryAfterSeconds ?? 0) >= 1));
  const least = limit * seconds * LEAST_SHARE;
  const most = limit * seconds * MOST_SHARE + TURNED_DOWN.burst;
  narrator.seen(
    `${taken.length} of ${crowd.visits.length} taken in ${duration(seconds * 1000)}, ${(taken.length / seconds).toFixed(1)} a second; ${away.length} turned away, ${untold.length} of them not told; ${crowd.failed.length} failed${crowd.failed[0] ? `, such as ${crowd.failed[0]}` : ''}`,
    taken.length >= least &&
      taken.length <= most &&
      away.length > taken.length &&
      untold.length === 0 &&
      crowd.failed.length === 0,
  );
  narrator.detail(
    doors
      .map(({ name }) => `${taken.filter(({ door }) => door.name === name).length} by ${name}`)
      .join(', '),
  );

  const waitSeconds = Math.max(...away.map(({ got }) => got?.retryAfterSeconds ?? 0));
  const { revision } = await observer.configs.delete(DOCUMENT, {
    ...{ author: OPERATOR, reason: 'The night shift is there.' },
  });
  await trafficIn(doors, 'The old limit', (view) => view.limit.numbers.limit > limit);
  narrator.happens(
    `The document is deleted again (revision ${revision}): what the code declares holds.`,
  );
  narrator.expect(
    `${COME_AGAIN} who were turned away come again at once, after the ${waitSeconds} s that they were told, and all are served`,
  );
  await pause(waitSeconds * 1000);
  const again = await Promise.all(
    Array.from({ length: COME_AGAIN }, (_, i) =>
      desk.tryAt(doors[i % doors.length]!, PLENTY[i % PLENTY.length]!),
    ),
  );
  const served = again.flatMap(({ id }) => id ?? []);
  narrator.seen(`${served.length} of ${again.length} served`, served.length === again.length);
  const history = await observer.configs.history(DOCUMENT);
  narrator.table(
    history.map(({ sequence, author, reason, document }) => [
      `version ${sequence}`,
      author ?? '',
      document ?? 'deleted',
      reason ?? '',
    ]),
  );
  await desk.settled([...crowd.ids, ...served], PATIENCE_MS);
}

interface Crowd {
  readonly visits: readonly Visit<Attempt>[];
  readonly taken: readonly Visit<Attempt>[];
  readonly away: readonly Visit<Attempt>[];
  readonly failed: readonly string[];
  /** Of the orders that were taken. */
  readonly ids: readonly string[];
  /** How long it took until the last one was answered. */
  readonly seconds: number;
}

/** A crowd orders for so long, and does not wait when it is told to. */
async function comesFor(ms: number, { stage, desk }: Scene): Promise<Crowd> {
  const from = performance.now();
  let turn = 0;
  const customers = new Customers(stage.of('orders'), CUSTOMERS_EACH, BETWEEN_MS, (door) =>
    desk.tryAt(door, PLENTY[(turn += 1) % PLENTY.length]!),
  );
  await pause(ms);
  await customers.end();
  const { visits, failed } = customers;
  const taken = visits.filter(({ got }) => got !== null && got.id !== null);
  const away = visits.filter(({ got }) => got !== null && got.id === null);
  const ids = taken.flatMap(({ got }) => got?.id ?? []);
  return { visits, taken, away, failed, ids, seconds: (performance.now() - from) / 1000 };
}
