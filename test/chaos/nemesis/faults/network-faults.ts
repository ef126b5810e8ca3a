import type { BlackholeWay, TcpProxy } from '../../../support/tcp-proxy.js';
import type { Slot } from '../../fleet/fleet.js';
import type { Battlefield, Fault } from '../fault.js';
import { isSucceeded, onFree, onHolder } from './victims.js';
import { pause } from './waiting.js';

const LOOK_MS = 300;

export const cutOffBothWays = cutOff('cut off both ways', 'both');
/** Etcd hears nothing, and lets the lease go; the answers to what it heard still come. */
export const cutOffToEtcd = cutOff('cut off to etcd', 'to-server');
/** Etcd hears all and does it; no answer comes. */
export const cutOffFromEtcd = cutOff('cut off from etcd', 'to-client');

/**
 * Answers take longer than the margin that a lease leaves, and less than the patience of who waits for them; then
 * etcd hears nothing any more. Who counts from the answer holds what etcd has let go.
 */
export const lateAnswers: Fault = {
  kind: 'answers late, then cut off to etcd',
  lane: 'network',
  leastPerMinute: 0,
  inflict: (field) =>
    onHolder(field, async (caught) => {
      const { slot } = caught;
      field.begun([slot.id]);
      for (const way of slot.ways) way.delay(0.22 * field.ttlMs, 'to-client');
      slot.worker.thaw();
      // A keepalive is sent every third of the TTL.
      await pause(field, 0.36 * field.ttlMs);
      for (const way of slot.ways) way.blackhole('to-server');
      // Longer holds are for other faults; that what was held is lost by then is soon seen.
      return await isSucceeded(field, caught, 1.5 * field.ttlMs);
    }),
};

/** Nothing comes from the one member that the process hears most of. */
export const cutOffOneMember: Fault = {
  kind: 'cut off from one member',
  lane: 'network',
  leastPerMinute: 0,
  inflict: (field) =>
    onFree(field, async (slot) => {
      const way = await busiest(field, slot);
      if (!way) return false;
      const targets = [slot.id, field.cluster.members[slot.ways.indexOf(way)]!.name];
      field.begun(targets);
      way.blackhole(field.random.chance(0.5) ? 'both' : 'to-client');
      await pause(field, field.ttlMs, 3 * field.ttlMs);
      return !field.signal.aborted;
    }),
};

export const resetConnections: Fault = {
  kind: 'reset connections',
  lane: 'network',
  leastPerMinute: 1,
  inflict: (field) =>
    onFree(field, async (slot) => {
      const standing = slot.ways.filter((way) => way.connectionsOpen > 0);
      if (standing.length === 0) return false;
      field.begun([slot.id]);
      for (const way of standing) way.reset();
      return true;
    }),
};

export const delayConnections: Fault = {
  kind: 'delay',
  lane: 'network',
  leastPerMinute: 0,
  inflict: (field) =>
    onFree(field, async (slot) => {
      if (slot.ways.every((way) => way.connectionsOpen === 0)) return false;
      field.begun([slot.id]);
      for (const way of slot.ways) way.delay(field.random.int(20, 300));
      await pause(field, 2_000, 4_000);
      return true;
    }),
};

/** Of a holder, to and from all members, until another process has what it had. */
function cutOff(kind: string, way: BlackholeWay): Fault {
  return {
    kind,
    lane: 'network',
    leastPerMinute: 1,
    inflict: (field) =>
      onHolder(field, async (caught) => {
        const { slot } = caught;
        field.begun([slot.id]);
        for (const proxy of slot.ways) proxy.blackhole(way);
        slot.worker.thaw();
        return await isSucceeded(field, caught);
      }),
  };
}

async function busiest(field: Battlefield, { ways }: Slot): Promise<TcpProxy | null> {
  const before = ways.map((way) => way.bytes('to-client'));
  await pause(field, LOOK_MS);
  const told = ways.map((way, index) => way.bytes('to-client') - before[index]!);
  const most = Math.max(...told);
  return most > 0 ? ways[told.indexOf(most)]! : null;
}
