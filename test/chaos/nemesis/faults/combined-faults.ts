import type { Caught } from '../../fleet/fleet.js';
import type { Battlefield, Fault } from '../fault.js';
import { isRelieved, revive } from './member-faults.js';
import { compactsMore } from './store-faults.js';
import { isSucceeded, onHolder, wakes } from './victims.js';

/** The new leader grants every lease anew, the one of the holder that stands still among them. */
export const freezeHolderKillLeader: Fault = {
  kind: 'freeze holder and kill leader',
  lane: 'etcd',
  leastPerMinute: 0,
  inflict: (field) =>
    onHolder(field, async (caught) => {
      const leader = await field.cluster.leader();
      const targets = [caught.slot.id, leader.name];
      field.begun(targets);
      let relieved = false;
      try {
        await leader.kill();
        relieved = await isRelieved(field, leader);
      } finally {
        await revive(field.cluster, leader);
      }
      return (await outlivesIt(field, caught)) && relieved;
    }),
};

export const freezeHolderCompact: Fault = {
  kind: 'freeze holder and compact',
  lane: 'etcd',
  leastPerMinute: 0,
  inflict: (field) =>
    onHolder(field, async (caught) => {
      const { slot } = caught;
      field.begun([slot.id]);
      const succeeded = await isSucceeded(field, caught);
      // Its streams are gone as well: it has to ask for what it missed.
      for (const way of slot.ways) way.reset();
      const compacted = await compactsMore(field.cluster);
      const woke = await wakes(field, caught);
      return succeeded && compacted && woke;
    }),
};

/** The holder reaches only a member that leads no more and does not know what became of the others. */
export const holderWithIsolatedLeader: Fault = {
  kind: 'isolate leader with holder',
  lane: 'etcd',
  needs: ['peer-proxies'],
  leastPerMinute: 0,
  inflict: (field) =>
    onHolder(field, async (caught) => {
      const { cluster } = field;
      const { slot } = caught;
      const leader = await cluster.leader();
      const targets = [slot.id, leader.name];
      field.begun(targets);
      try {
        cluster.isolate(leader);
        const own = cluster.members.indexOf(leader);
        for (const [index, way] of slot.ways.entries()) if (index !== own) way.blackhole();
        slot.worker.thaw();
        const relieved = await isRelieved(field, leader);
        return (await isSucceeded(field, caught)) && relieved;
      } finally {
        await revive(cluster, leader);
      }
    }),
};

async function outlivesIt(field: Battlefield, caught: Caught): Promise<boolean> {
  const succeeded = await isSucceeded(field, caught);
  return (await wakes(field, caught)) && succeeded;
}
