import type { SwitchStatus } from 'nestjs-etcd-coordination';
import type { RecommenderView } from '../../../apps/demo-orders/src/demo-recommender.controller.js';
import type { Recommendation } from '../../../apps/demo-orders/src/recommendations.service.js';
import type { TrafficView } from '../../../apps/demo-orders/src/traffic.controller.js';
import { ORDERS_TRAFFIC, RECOMMENDATIONS } from '../../../apps/demo-orders/src/traffic.js';
import { duration } from '../narrator.js';
import type { Actor } from '../stage.js';
import { until } from '../until.js';
import { Customers, slowestMs } from './customers.js';
import { PATIENCE_MS, PLENTY, type Scene } from './scene.js';
import { OPERATOR, trafficIn } from './traffic-views.js';

const CUSTOMERS_EACH = 5;
const BETWEEN_MS = 20;
const AT_ONCE_MS = 1000;
const { timeoutMs: TIMEOUT_MS } = ORDERS_TRAFFIC.policies[RECOMMENDATIONS];
/** A window of the rule, two looks, the votes of both, and some time for a busy machine. */
const CUT_WITHIN_MS = 4000;
/** It rests, longer if it was tried meanwhile; is on trial for a window; and then both have to be well. */
const WELL_WITHIN_MS = 12_000;
/** So many are served after the cut before it is judged. */
const SERVED_THEN = 40;
/** For some of those who come after the cut it is tried again. */
const MOST_ASKED_SHARE = 0.2;

/** Recommendations are cut when they do harm, by their own rule and by hand, and customers go on ordering. */
export async function doneWithoutAct(scene: Scene): Promise<void> {
  const { narrator, stage, desk } = scene;
  const doors = stage.of('orders');
  const orderId = await desk.place(PLENTY[0], 1);
  narrator.act(
    'What can be done without',
    `Whoever has ordered is recommended something (GET /orders/${orderId}/recommendations). The method is @Degradable('${RECOMMENDATIONS}') with bestsellers to fall back on, and @Resilient with a timeout of ${TIMEOUT_MS} ms. Customers ask at ${doors.map(({ name }) => name).join(' and ')}. Then the recommender hangs, in both.`,
  );
  const customers = new Customers(doors, CUSTOMERS_EACH, BETWEEN_MS, ({ client }) =>
    client.recommendations(orderId),
  );
  try {
    await served(customers, 'order', performance.now());
    await cutByRule(scene, customers);
    await cutByHand(scene, customers);
  } finally {
    await customers.end();
  }
  await tellHistory(scene);
  await desk.settled([orderId], PATIENCE_MS);
}

/** The recommender hangs, is cut by its rule, and is asked again when it is well. */
async function cutByRule(
  { narrator, stage }: Scene,
  customers: Customers<Recommendation>,
): Promise<void> {
  const doors = stage.of('orders');
  await Promise.all(
    doors.map(({ client }) => client.call('POST', '/demo/recommender?fault=hanging')),
  );
  const from = performance.now();
  narrator.expect(
    `the rule cuts it in the fleet within ${duration(CUT_WITHIN_MS)}; customers get bestsellers, first after the timeout, then without asking it`,
  );
  const cut = await switched(
    doors,
    ({ state, source, scope }) => state === 'off' && source === 'automatic' && scope === 'fleet',
  );
  const cutAt = performance.now();
  const askedBefore = await askedIn(doors);
  const after = await until(`${SERVED_THEN} customers after the cut`, PATIENCE_MS, () => {
    const visits = customers.between(cutAt);
    return visits.length >= SERVED_THEN ? visits : null;
  });
  const asked = (await askedIn(doors)) - askedBefore;
  const before = customers.between(from, cutAt);
  narrator.seen(
    `cut after ${duration(cutAt - from)}; the slowest of the ${before.length} before waited ${duration(slowestMs(before))}; for the ${after.length} after it was asked ${asked} times; ${unserved(customers)}`,
    cutAt - from <= CUT_WITHIN_MS &&
      asked <= after.length * MOST_ASKED_SHARE &&
      after.every(({ got }) => got?.basis === 'bestsellers') &&
      customers.failed.length === 0,
  );
  narrator.detail(`${cut[0]?.switch.by} has said so: ${cut[0]?.switch.why}`);

  await Promise.all(doors.map(({ client }) => client.call('DELETE', '/demo/recommender')));
  const wellFrom = performance.now();
  narrator.happens('The recommender is well again. Nobody tells the switch.');
  narrator.expect(
    `every tenth call tries it, and within ${duration(WELL_WITHIN_MS)} all customers get recommendations again`,
  );
  await switched(doors, ({ state, source }) => state === 'on' && source === 'default');
  const backAt = performance.now();
  await served(customers, 'order', backAt);
  narrator.seen(
    `on again ${duration(backAt - wellFrom)} later; ${unserved(customers)}`,
    backAt - wellFrom <= WELL_WITHIN_MS && customers.failed.length === 0,
  );
}

/** An operator cuts it, though it is well, and takes that back. */
async function cutByHand(
  { narrator, stage, observer }: Scene,
  customers: Customers<Recommendation>,
): Promise<void> {
  const doors = stage.of('orders');
  narrator.happens(`${OPERATOR} expects a rush, and cuts it by hand, though it is well.`);
  narrator.expect(`it is off in both within ${duration(AT_ONCE_MS)}, and the rule has no say`);
  await observer.switches.set(RECOMMENDATIONS, 'off', {
    ...{ author: OPERATOR, reason: 'A rush is expected.' },
  });
  const offFrom = performance.now();
  const off = await switched(doors, ({ state, source }) => state === 'off' && source === 'manual');
  const offAt = performance.now();
  await served(customers, 'bestsellers', offAt);
  narrator.seen(
    `off by hand after ${duration(offAt - offFrom)}, says ${off[0]?.switch.by}: ${off[0]?.switch.why}`,
    offAt - offFrom <= AT_ONCE_MS && off.every((view) => view.switch.by === OPERATOR),
  );
  narrator.expect(`it is on in both within ${duration(AT_ONCE_MS)} after that is taken back`);
  await observer.switches.set(RECOMMENDATIONS, 'auto', {
    ...{ author: OPERATOR, reason: 'The rush is over.' },
  });
  const onFrom = performance.now();
  await switched(doors, ({ state }) => state === 'on');
  const onAt = performance.now();
  await served(customers, 'order', onAt);
  narrator.seen(
    `on after ${duration(onAt - onFrom)}; ${customers.visits.length} customers in all, ${unserved(customers)}`,
    onAt - onFrom <= AT_ONCE_MS && customers.failed.length === 0,
  );
}

/** Every flip is in etcd: who, and why. */
async function tellHistory({ narrator, observer }: Scene): Promise<void> {
  const flips = [...(await observer.switches.history(RECOMMENDATIONS))].reverse();
  const byHand = flips.filter(({ source }) => source === 'manual').map(({ state }) => state);
  const byRule = flips
    .filter(({ source, scope }) => source === 'automatic' && scope === 'fleet')
    .map(({ state }) => state);
  narrator.expect('etcd has each flip, with who and why');
  narrator.seen(
    `${flips.length} flips: of the fleet ${byRule.join(', ')} by the rule, ${byHand.join(', ')} by hand`,
    byRule.join() === 'off,on' &&
      byHand.join() === 'off,auto' &&
      flips.every(({ by, why }) => by !== null && why !== null),
  );
  narrator.table(
    flips.map(({ state, source, scope, by, why }) => [
      state,
      source,
      scope === 'fleet' ? 'all' : 'itself',
      by ?? '',
      why ?? '',
    ]),
  );
}

function switched(
  doors: readonly Actor[],
  holds: (now: SwitchStatus) => boolean,
): Promise<TrafficView[]> {
  return trafficIn(doors, `The switch of ${RECOMMENDATIONS}`, (view) => holds(view.switch));
}

/** How often the recommender was asked, in all of them. */
async function askedIn(doors: readonly Actor[]): Promise<number> {
  const views = await Promise.all(
    doors.map(({ client }) => client.call<RecommenderView>('GET', '/demo/recommender')),
  );
  return views.reduce((total, { asked }) => total + asked, 0);
}

/** Waits until a customer who came after the moment is served so. */
async function served(
  customers: Customers<Recommendation>,
  basis: Recommendation['basis'],
  since: number,
): Promise<void> {
  await until(`Recommendations by ${basis}`, PATIENCE_MS, () =>
    customers.between(since).some(({ got }) => got?.basis === basis) ? true : null,
  );
}

function unserved({ failed }: Customers<Recommendation>): string {
  return failed[0] === undefined
    ? 'nobody failed'
    : `${failed.length} failed, such as ${failed[0]}`;
}
