import { duration } from '../narrator.js';
import { confirmed, PATIENCE_MS, PLENTY, reign, replace, type Scene } from './scene.js';

const ORDERS = 6;
/** Far below any TTL, and far above what it takes on a busy machine. */
const AT_ONCE_MS = 1000;

/** The leader is asked to stop, and hands over. */
export async function gracefulStopAct(scene: Scene): Promise<void> {
  const { narrator, observer, desk } = scene;
  const { actor, epoch } = reign(scene);
  narrator.act(
    'A graceful stop',
    `${actor.name} gets a SIGTERM, as at every deployment. It finishes what it is doing and hands over; nobody has to wait for a lease to run out.`,
  );
  const orders = await desk.placeMany(ORDERS, PLENTY);
  const stoppedAt = performance.now();
  narrator.happens(`kill -TERM ${actor.child.pid} (${actor.name}, epoch ${epoch})`);
  narrator.expect(
    `another one leads at once (within ${duration(AT_ONCE_MS)}; the TTL is ${duration(scene.ttlMs)})`,
  );
  const [seen] = await Promise.all([observer.leaderAfter(epoch, PATIENCE_MS), actor.child.stop()]);
  const exitedAfter = performance.now() - stoppedAt;
  const took = seen.at - stoppedAt;
  const { leaderId, epoch: newEpoch } = seen.leadership;
  narrator.seen(
    `${leaderId} leads with epoch ${newEpoch}, ${duration(took)} after the signal`,
    took <= AT_ONCE_MS && leaderId !== actor.name,
  );
  narrator.happens(`${actor.name} ended by itself ${duration(exitedAfter)} after the signal.`);
  narrator.expect('no order is left behind');
  await confirmed(scene, seen);
  const settled = await desk.settled(orders, PATIENCE_MS, actor);
  narrator.seen(
    `${settled.length} of ${orders.length} orders settled`,
    settled.length === orders.length,
  );
  await replace(scene, actor);
}
