import { duration } from '../narrator.js';
import {
  confirmed,
  PATIENCE_MS,
  PLENTY,
  reign,
  replace,
  type Scene,
  TAKE_OVER_SLACK_MS,
} from './scene.js';

const ORDERS = 6;

/** The leader is killed with work on its desk, and another one takes over. */
export async function killAct(scene: Scene): Promise<void> {
  const { narrator, observer, desk, ttlMs } = scene;
  const { actor, epoch } = reign(scene);
  narrator.act(
    'kill -9 of the leader',
    `${actor.name} is killed with orders on its desk. It cannot say good-bye, so the next one may lead when etcd lets its lease go: ${duration(ttlMs)} after its last keepalive. Orders go on coming in.`,
  );
  const before = await desk.placeMany(ORDERS, PLENTY);
  const killedAt = performance.now();
  await actor.child.kill();
  narrator.happens(`kill -9 ${actor.child.pid} (${actor.name}, epoch ${epoch})`);
  const after = await desk.placeMany(ORDERS, PLENTY, actor);
  narrator.happens(`${after.length} orders taken while nobody leads.`);
  narrator.expect(
    `another one leads within ${duration(ttlMs + TAKE_OVER_SLACK_MS)} (TTL + 0.7 s), with a larger epoch`,
  );
  const seen = await observer.leaderAfter(epoch, PATIENCE_MS);
  const took = seen.at - killedAt;
  const { leaderId, epoch: newEpoch } = seen.leadership;
  narrator.seen(
    `${leaderId} leads with epoch ${newEpoch}, ${duration(took)} after the kill`,
    took <= ttlMs + TAKE_OVER_SLACK_MS && newEpoch > epoch && leaderId !== actor.name,
  );
  narrator.expect('no order is left behind');
  await confirmed(scene, seen);
  const orders = await desk.settled([...before, ...after], PATIENCE_MS, actor);
  const late = orders.filter((order) => order.epoch === newEpoch.toString());
  narrator.seen(
    `${orders.length} of ${before.length + after.length} orders settled, ${late.length} of them by ${leaderId}`,
    after.every((id) => late.some((order) => order.id === id)),
  );
  await replace(scene, actor);
}
