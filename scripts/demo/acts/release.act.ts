import { isDeepStrictEqual } from 'node:util';
import type { ReleaseView } from 'nestjs-etcd-coordination';
import {
  type Prices,
  PRICES,
  PRICES_OPTIONS,
} from '../../../apps/demo-shared/src/config/prices.config.js';
import { duration } from '../narrator.js';
import { until } from '../until.js';
import { PATIENCE_MS, PLENTY, type Scene } from './scene.js';

/** Short, so that nobody has to wait long; in earnest each step would be watched for minutes. */
const OBSERVE_MS = 1000;
/** What is bad is found as soon as it shows, which on a busy machine may take some seconds. */
const OBSERVE_CLOSELY_MS = 10_000;
/** An odd number, so that both processes of orders are asked for both articles. */
const ORDERS_A_LOOK = 3;
/** Passes the schema, which does not know that nuts are on sale. */
const WITHOUT_NUTS: Prices = { bolt: 28, lamp: 4900 };
const COMPLETE: Prices = { bolt: 28, nut: 12, lamp: 4900 };

/** New prices go to one process first. Bad ones come no further; good ones reach all, step by step. */
export async function releaseAct(scene: Scene): Promise<void> {
  const { narrator, stage } = scene;
  const canary = stage.actors.find(({ track }) => track === 'canary');
  narrator.act(
    'A staged release',
    `New prices are released in steps: first to the process that is labelled "canary" (${canary?.name}), then to half of all, then to all. Each tells how well it does: demo-orders counts the orders that it must refuse for want of a price. The first list has forgotten the nuts, which no schema can know. Customers go on ordering.`,
  );
  narrator.expect('only the canary gets it, does worse, and the release takes itself back');
  const bad = await release(scene, WITHOUT_NUTS, OBSERVE_CLOSELY_MS);
  narrator.seen(
    `${bad.view.state} after ${duration(bad.tookMs)}; ${list(bad.reached)} had it`,
    bad.view.state === 'rolled-back' && list(bad.reached) === canary?.name,
  );
  tellRecord(scene, bad.view);

  narrator.expect('with the nuts it goes through: to the canary, to half of them, to all');
  const good = await release(scene, COMPLETE, OBSERVE_MS);
  narrator.seen(
    `${good.view.state} after ${duration(good.tookMs)}; ${list(good.reached)} have it`,
    good.view.state === 'promoted' && good.reached.size === stage.actors.length,
  );
  tellRecord(scene, good.view);
}

interface Course {
  readonly view: ReleaseView;
  readonly tookMs: number;
  /** The processes that had the new prices at any time, in the order in which they got them. */
  readonly reached: ReadonlySet<string>;
}

/** Releases `prices`, and follows it to its end while customers order. */
async function release(
  { stage, observer, desk }: Scene,
  prices: Prices,
  observeMs: number,
): Promise<Course> {
  const { actors } = stage;
  const reached = new Set<string>();
  const look = async () => {
    const views = await Promise.all(actors.map(({ client }) => client.config<Prices>(PRICES)));
    const having = actors.filter((_, i) => isDeepStrictEqual(views[i]?.value, prices));
    having.forEach(({ name }) => reached.add(name));
    return having;
  };
  const start = performance.now();
  await observer.releases.start(PRICES, prices, {
    labels: { track: 'canary' },
    steps: [50, 100],
    observeMs,
    schema: PRICES_OPTIONS.schema,
    reason: 'The new season.',
  });
  const view = await until('The end of the release', PATIENCE_MS, async () => {
    await desk.placeMany(ORDERS_A_LOOK, PLENTY);
    await look();
    const now = await observer.releases.get(PRICES);
    return now && now.state !== 'rolling' ? now : null;
  });
  const tookMs = performance.now() - start;
  const having = view.state === 'promoted' ? actors.length : 0;
  await until('The last word in all processes', PATIENCE_MS, async () =>
    (await look()).length === having ? true : null,
  );
  await desk.settled(
    desk.placed.map(({ id }) => id),
    PATIENCE_MS,
  );
  return { view, tookMs, reached };
}

/** What the record in etcd tells of the release. */
function tellRecord({ narrator }: Scene, { history }: ReleaseView): void {
  const [first] = history;
  narrator.table(
    history.map(({ at, by, what }) => [
      `+ ${duration(at.getTime() - (first?.at ?? at).getTime())}`,
      by,
      what,
    ]),
  );
}

function list(names: ReadonlySet<string>): string {
  return [...names].join(', ') || 'nobody';
}
