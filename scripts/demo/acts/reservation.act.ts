import { DemoKeys } from '../../../apps/demo-shared/src/data/demo-keys.js';
import { duration } from '../narrator.js';
import { until } from '../until.js';
import { PATIENCE_MS, type Scene, standing, TAKE_OVER_SLACK_MS } from './scene.js';

const SKU = 'bolt';
/** Nobody orders of it in this act, so that its sums are those of the reservations alone. */
const ASIDE = { crowd: 8, first: 4, second: 3 };
/** Long enough that others have reserved before the frozen one wakes up. */
const PAST_TTL_MS = 2500;

/** Stock is set aside under a lock, and a holder freezes past its lease in the middle of it. */
export async function reservationAct(scene: Scene): Promise<void> {
  const { narrator, stage, observer, ttlMs, prefix } = scene;
  const freezeSeconds = Math.ceil((ttlMs + PAST_TTL_MS) / 1000);
  const [orders] = stage.of('orders');
  const [clerk] = stage.of('inventory');
  if (!orders || !clerk) throw new Error('There are too few processes for this act.');
  narrator.act(
    'A frozen clerk',
    `Customers have bolts set aside: demo-orders asks demo-inventory, by its name, and the same process for the same article. Its method is under @DistributedLock('sku/{0.sku}'), so one at a time reserves of an article, in whichever process, and its write is guarded by the lock's fence. Then the one that reserves bolts for ${orders.name} is stopped between reading the stock and writing it.`,
  );
  const before = await clerk.client.stock(SKU);
  narrator.expect(`${ASIDE.crowd} customers at once, at all doors, get one piece each`);
  const crowd = await Promise.all(
    Array.from({ length: ASIDE.crowd }, (_, i) => {
      const door = stage.of('orders')[i % stage.of('orders').length]!;
      return door.client.reserve(`crowd-${i + 1}`, SKU, 1);
    }),
  );
  const tokens = new Set(crowd.map(({ token }) => token));
  const left = (await clerk.client.stock(SKU)).onHand;
  narrator.seen(
    `${crowd.length} reservations under ${tokens.size} grants of the lock; ${before.onHand} less ${crowd.length} is the ${left} on hand`,
    tokens.size === ASIDE.crowd && left === before.onHand - ASIDE.crowd,
  );

  // The first of the crowd came through that door.
  const frozen = stage.get(crowd[0]!.reservedBy);
  const other = stage.of('inventory').find((actor) => actor !== frozen);
  if (!other) throw new Error('There is only one process of inventory.');
  await frozen.client.hold();
  const first = orders.client.reserve('first', SKU, ASIDE.first);
  first.catch(() => {});
  await until(`A reservation in the hands of ${frozen.name}`, PATIENCE_MS, async () =>
    (await frozen.client.held()).state === 'holding' ? true : null,
  );
  const frozenAt = performance.now();
  const waking = frozen.child.freeze(freezeSeconds);
  waking.catch(() => {});
  narrator.happens(
    `kill -STOP ${frozen.child.pid} (${frozen.name}), which has the lock, has read ${left} bolts and is about to write ${left - ASIDE.first}.`,
  );
  const withinMs = ttlMs + TAKE_OVER_SLACK_MS;
  narrator.expect(
    `${other.name} gets the lock when the lease has run out, within ${duration(withinMs)}, and serves another customer`,
  );
  const second = await other.client.call<{ reservedBy: string; token: string }>(
    'POST',
    '/reservations',
    { id: 'second', sku: SKU, quantity: ASIDE.second },
  );
  const took = performance.now() - frozenAt;
  narrator.seen(
    `${ASIDE.second} set aside by ${second.reservedBy}, ${duration(took)} after the stop`,
    took <= withinMs && second.reservedBy === other.name,
  );
  narrator.expect(
    `and the first customer: demo-orders has waited 2 s for ${frozen.name} and asked another one under the same id`,
  );
  const served = await first;
  narrator.seen(
    `${served.quantity} set aside by ${served.reservedBy}, ${duration(performance.now() - frozenAt)} after the stop`,
    served.reservedBy !== frozen.name && served.quantity === ASIDE.first,
  );
  await waking;
  const report = await until(`The waking of ${frozen.name}`, PATIENCE_MS, async () => {
    const view = await frozen.client.held();
    return view.state === 'over' ? view.report : null;
  });
  narrator.happens(
    `kill -CONT: ${frozen.name} wakes up after ${duration(report.frozenMs)} and sends its write.`,
  );
  narrator.expect('its first statement finds the lock invalid, and the signal aborted');
  narrator.seen(
    `isValid() ${report.lockValidOnWaking}, signal.aborted ${report.signalAbortedOnWaking}`,
    !report.lockValidOnWaking && report.signalAbortedOnWaking,
  );
  narrator.expect('its late write is refused as one of a stale fence');
  narrator.seen(
    report.lateWrite ?? 'the write was taken',
    report.lateWrite === 'STALE_FENCE' && BigInt(report.token) < BigInt(second.token),
  );
  const note = await observer.exists(new DemoKeys(prefix).lateNote(BigInt(report.token)));
  narrator.expect('etcd itself refuses a late write that nothing but the fence guards');
  narrator.seen(
    `${report.lateNoteTaken || note ? 'taken' : 'refused'}, and etcd holds ${note ? 'its' : 'no'} key`,
    !report.lateNoteTaken && !note,
  );
  const aside = ASIDE.crowd + ASIDE.first + ASIDE.second;
  const { onHand } = await other.client.stock(SKU);
  narrator.expect('stock adds up: what is reserved and what is left are what there was');
  const { stock, violations } = await observer.audit();
  const reserved = stock.find(({ sku }) => sku === SKU)?.reserved ?? 0;
  narrator.seen(
    `${reserved} reserved + ${onHand} left = ${before.onHand}${violations.length > 0 ? `, but ${violations.join(' ')}` : ''}`,
    reserved === aside && reserved + onHand === before.onHand && violations.length === 0,
  );
  await standing(scene, frozen);
  narrator.happens(`${frozen.name} has a new lease and serves again.`);
}
