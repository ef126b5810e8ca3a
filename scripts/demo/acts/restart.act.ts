import {
  type Prices,
  PRICES,
  PRICES_OPTIONS,
} from '../../../apps/demo-shared/src/config/prices.config.js';
import { Gate } from '../gate.js';
import { duration, money } from '../narrator.js';
import { until } from '../until.js';
import { everywhere } from './config-views.js';
import { PATIENCE_MS, type Scene, standing } from './scene.js';

const LAMP_THEN = 5200;
/** The process looks for etcd again and again, at growing intervals. */
const BACK_WITHIN_MS = 5000;

/** A process starts while it cannot reach etcd, goes by its snapshot, and catches up by itself. */
export async function restartAct(scene: Scene): Promise<void> {
  const { narrator, stage, observer } = scene;
  const gone = stage.of('orders').find(({ name }) => name !== observer.leader?.leaderId);
  if (!gone) throw new Error('No process of orders runs that does not lead.');
  narrator.act(
    'A restart without etcd',
    `${gone.name} is stopped, and started again where it cannot reach etcd: a gate between them, a TCP proxy, resets every connection. It has the snapshot that was written beside its log. Meanwhile lamps become dearer; then the gate opens.`,
  );
  const before = await gone.client.config<Prices>(PRICES);
  const lampBefore = before.value.lamp ?? 0;
  await gone.child.stop();
  const gate = await Gate.before(stage.endpoints);
  const startedAt = performance.now();
  const actor = await stage.replace(gone, [gate.endpoint]);
  const { client, child, name } = actor;
  narrator.happens(
    `${name} (pid ${child.pid}) listens ${duration(performance.now() - startedAt)} after it was started.`,
  );

  narrator.expect('it serves the last good prices, and says that they are of its snapshot');
  const prices = await client.prices();
  const { source, revision } = await client.config<Prices>(PRICES);
  const health = await until(`${name} to know whom it can ask`, PATIENCE_MS, async () =>
    client.health().catch(() => null),
  );
  narrator.seen(
    `lamps at ${money(prices.lamp ?? 0)} by its ${source}, revision ${revision}; GET /health is ${health}`,
    prices.lamp === lampBefore &&
      source === 'snapshot' &&
      revision === before.revision &&
      health === 'degraded',
  );

  const { configs } = observer;
  const { schema } = PRICES_OPTIONS;
  await configs.set(
    PRICES,
    { ...before.value, lamp: LAMP_THEN },
    { schema, reason: 'Lamps are in demand.' },
  );
  const others = stage.actors.filter((other) => other !== actor);
  await everywhere<Prices>(others, PRICES, ({ value }) => value.lamp === LAMP_THEN);
  const meanwhile = (await client.prices()).lamp ?? 0;
  narrator.happens(
    `Lamps are at ${money(LAMP_THEN)} now, and in the other ${others.length}; at ${name} still at ${money(meanwhile)}.`,
  );

  gate.open();
  const openedAt = performance.now();
  narrator.happens('The gate opens.');
  narrator.expect(
    `the price arrives within ${duration(BACK_WITHIN_MS)}, and the process is well; nobody restarts it`,
  );
  const [view] = await everywhere<Prices>([actor], PRICES, (now) => now.source === 'etcd');
  const took = performance.now() - openedAt;
  await until(`${name} to be well`, PATIENCE_MS, async () =>
    (await client.health()) === 'ok' ? true : null,
  );
  narrator.seen(
    `lamps at ${money(view?.value.lamp ?? 0)} by ${view?.source}, revision ${view?.revision}, ${duration(took)} later; still pid ${child.pid}`,
    view?.value.lamp === LAMP_THEN && took <= BACK_WITHIN_MS && child.running,
  );
  await standing(scene, actor);
  narrator.happens(`${name} stands in the election, too.`);
}
