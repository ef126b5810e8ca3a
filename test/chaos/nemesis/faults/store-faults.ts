import type { ChaosCluster } from '../chaos-cluster.js';
import type { Fault } from '../fault.js';
import { revive } from './member-faults.js';
import { onFree } from './victims.js';
import { pause } from './waiting.js';

export const compaction: Fault = {
  kind: 'compaction',
  lane: 'etcd',
  leastPerMinute: 1,
  async inflict({ cluster, begun }) {
    begun(['all']);
    return compactsMore(cluster);
  },
};

/** Behind the back of a process that cannot listen: what it missed is gone when it asks for it. */
export const compactionUnheard: Fault = {
  kind: 'compaction while cut off',
  lane: 'etcd',
  leastPerMinute: 1,
  inflict: (field) =>
    onFree(field, async ({ id, ways }) => {
      field.begun([id]);
      // Refused, not held back: what the members sent before must not arrive later.
      await Promise.all(ways.map((way) => way.refuse()));
      await pause(field, field.ttlMs / 2, 2 * field.ttlMs);
      const compacted = await compactsMore(field.cluster);
      return compacted;
    }),
};

export const defragmentation: Fault = {
  kind: 'defragmentation',
  lane: 'etcd',
  leastPerMinute: 0,
  async inflict({ cluster, begun, signal }) {
    const targets = cluster.members.map(({ name }) => name);
    begun(targets);
    for (const member of cluster.members) {
      if (signal.aborted) return false;
      await cluster.defragment(member);
    }
    return true;
  },
};

export const noSpace: Fault = {
  kind: 'no space',
  lane: 'etcd',
  leastPerMinute: 0,
  async inflict(field) {
    const { cluster } = field;
    field.begun(['all']);
    try {
      await cluster.fillQuota();
      await pause(field, field.ttlMs / 2, 2 * field.ttlMs);
      return true;
    } finally {
      await cluster.cureQuota();
    }
  },
};

export const diskFull: Fault = {
  kind: 'disk full',
  lane: 'etcd',
  needs: ['small-disk'],
  leastPerMinute: 0,
  async inflict(field) {
    const { cluster, random } = field;
    const member = cluster.members[random.int(0, cluster.members.length - 1)]!;
    field.begun([member.name]);
    try {
      await cluster.fillDisk(member);
      await pause(field, 200, 2_000);
      return true;
    } finally {
      await cluster.cureDisk(member);
      await revive(cluster, member);
    }
  },
};

/** Compacts; whether there was anything left to compact. */
export async function compactsMore(cluster: ChaosCluster): Promise<boolean> {
  const before = cluster.compactions.at(-1)?.revision ?? 0n;
  return (await cluster.compact()) > before;
}
