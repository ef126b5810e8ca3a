import { DemoKeys } from '../../../apps/demo-shared/src/data/demo-keys.js';
import { duration } from '../narrator.js';
import {
  confirmed,
  PATIENCE_MS,
  reign,
  type Scene,
  standing,
  TAKE_OVER_SLACK_MS,
} from './scene.js';

/** Long enough that another one leads and has done the work before the frozen one wakes up. */
const PAST_TTL_MS = 2500;
/** The leader looks for orders at an interval, so it takes a moment until it holds this one. */
const PICK_UP_MS = 300;

/** A leader freezes past its TTL in the middle of an order, and wakes up believing nothing. */
export async function freezeAct(scene: Scene): Promise<void> {
  const { narrator, observer, desk, ttlMs, prefix } = scene;
  const { actor, epoch } = reign(scene);
  const freezeMs = ttlMs + PAST_TTL_MS;
  const withinMs = ttlMs + TAKE_OVER_SLACK_MS + PICK_UP_MS;
  narrator.act(
    'A frozen leader',
    `${actor.name} reads an order, and then nothing runs in its process for ${duration(freezeMs)}, as in a long garbage collection. Meanwhile another one leads and settles that order. Then ${actor.name} wakes up in the middle of its work and sends its write.`,
  );
  const waking = actor.client.freeze(freezeMs);
  waking.catch(() => {});
  const id = await desk.place('bolt', 3, actor);
  const frozenAt = performance.now();
  narrator.happens(`${actor.name} (epoch ${epoch}) holds ${id} and is frozen.`);
  narrator.expect(`another one leads within ${duration(withinMs)}`);
  const seen = await observer.leaderAfter(epoch, PATIENCE_MS);
  const { leaderId, epoch: newEpoch } = seen.leadership;
  const took = seen.at - frozenAt;
  narrator.seen(
    `${leaderId} leads with epoch ${newEpoch}, ${duration(took)} later`,
    took <= withinMs && leaderId !== actor.name,
  );
  await confirmed(scene, seen);
  const [settled] = await desk.settled([id], PATIENCE_MS, actor);
  narrator.happens(`${settled?.settledBy} has settled ${id} under epoch ${settled?.epoch}.`);
  const report = await waking;
  narrator.happens(`${actor.name} wakes up after ${duration(report.frozenMs)}.`);
  narrator.expect('its first statement finds the signal of its term aborted, and the term invalid');
  narrator.seen(
    `signal.aborted ${report.signalAbortedOnWaking}, isValid() ${report.termValidOnWaking}`,
    report.signalAbortedOnWaking && !report.termValidOnWaking,
  );
  narrator.expect(
    `etcd refuses its late write of ${id}, and says that epoch ${report.epoch} is over`,
  );
  const [order] = await desk.settled([id], PATIENCE_MS, actor);
  narrator.seen(
    `${report.lateOrder}, and ${id} is ${order?.status} by epoch ${order?.epoch}`,
    report.lateOrder === 'stale-epoch' &&
      report.orderId === id &&
      order?.epoch === newEpoch.toString(),
  );
  const note = await observer.exists(new DemoKeys(prefix).lateNote(epoch));
  narrator.expect('etcd refuses a late write that nothing but the epoch guards, too');
  narrator.seen(
    `${report.lateNoteTaken || note ? 'taken' : 'refused'}, and etcd holds ${note ? 'its' : 'no'} key`,
    !report.lateNoteTaken && !note,
  );
  await standing(scene, actor);
  narrator.happens(`${actor.name} has a new lease and stands in the election again, at its end.`);
}
