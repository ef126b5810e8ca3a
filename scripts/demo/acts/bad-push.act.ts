import { isDeepStrictEqual } from 'node:util';
import { ConfigInvalidError } from 'nestjs-etcd-coordination';
import {
  type Prices,
  PRICES,
  PRICES_OPTIONS,
} from '../../../apps/demo-shared/src/config/prices.config.js';
import { money } from '../narrator.js';
import { everywhere, healths } from './config-views.js';
import type { Scene } from './scene.js';

/** A price that is no number gets nowhere: whoever writes it is refused, and whoever reads it refuses it. */
export async function badPushAct({ narrator, stage, observer }: Scene): Promise<void> {
  const { configs } = observer;
  const { actors } = stage;
  const { schema } = PRICES_OPTIONS;
  narrator.act(
    'A bad push',
    'Somebody sets the price of bolts to "free". The library validates it before it is written. etcdctl does not; then those who read it do, and the last good prices stand.',
  );
  const good = await configs.get<Prices>(PRICES);
  const bad = { ...good.value, bolt: 'free' };

  narrator.expect('set() refuses it, and etcd never hears of it');
  const refusal: unknown = await configs.set(PRICES, bad, { schema }).catch((error) => error);
  const now = await configs.get<Prices>(PRICES);
  // etcd's own revision goes on by whatever else is written.
  const isRefused =
    refusal instanceof ConfigInvalidError && isDeepStrictEqual(now.layers, good.layers);
  narrator.seen(isRefused ? 'refused, and etcd has the document of before' : 'taken', isRefused);
  narrator.detail(refusal instanceof Error ? refusal.message : String(refusal));

  narrator.happens(`etcdctl put ${observer.documentOf(PRICES)} '${JSON.stringify(bad)}'`);
  await observer.putPastStore(PRICES, JSON.stringify(bad));
  narrator.expect('all refuse it, keep the old price, and say so in GET /config and GET /health');
  const views = await everywhere<Prices>(actors, PRICES, ({ rejected }) => rejected !== null);
  const degraded = (await healths(actors)).filter((health) => health === 'degraded');
  const bolts = new Set(views.map(({ value }) => value.bolt));
  narrator.seen(
    `bolts at ${[...bolts].map((price) => money(price ?? 0)).join(', ')}; ${degraded.length} of ${actors.length} are degraded`,
    degraded.length === actors.length && bolts.size === 1 && bolts.has(good.value?.bolt),
  );
  narrator.detail(views[0]?.rejected?.message ?? '');

  const [, last] = await configs.history(PRICES);
  narrator.happens(
    `The history names the version before it; it is rolled back to ${last?.sequence}.`,
  );
  await configs.rollback(PRICES, {
    to: last?.sequence ?? 0,
    schema,
    reason: 'Bolts are not free.',
  });
  narrator.expect('all are well again');
  await everywhere(actors, PRICES, ({ rejected }) => rejected === null);
  const well = (await healths(actors)).filter((health) => health === 'ok');
  narrator.seen(`${well.length} of ${actors.length} are well`, well.length === actors.length);
}
