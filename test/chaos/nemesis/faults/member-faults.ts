import type { EtcdMember } from '../../../support/etcd-cluster.js';
import type { ChaosCluster } from '../chaos-cluster.js';
import type { Battlefield, Fault } from '../fault.js';
import { comesAbout, pause } from './waiting.js';

const ELECTED_MS = 15_000;
/** Members without a majority are left so for no longer, waiting for the proof included. */
const NO_QUORUM_MS = 5_000;

export const killLeader: Fault = {
  kind: 'kill leader',
  lane: 'etcd',
  leastPerMinute: 1,
  inflict: (field) =>
    onLeader(field, async (leader) => {
      await leader.kill();
      return succeeded(field, leader, 300, 2_000);
    }),
};

export const freezeLeader: Fault = {
  kind: 'freeze leader',
  lane: 'etcd',
  leastPerMinute: 1,
  inflict: (field) =>
    onLeader(field, async (leader) => {
      leader.freeze();
      try {
        // Now and then for longer than all that was pinned to it may live.
        const mostMs = field.random.chance(0.3) ? 3 * field.ttlMs : 1_500;
        return await succeeded(field, leader, 300, mostMs);
      } finally {
        field.thawed(leader.name);
        leader.server.thaw();
      }
    }),
};

/** Cut off from the others, it gives up its leadership, but serves whoever does not ask for a majority's word. */
export const isolateLeader: Fault = {
  kind: 'isolate leader',
  lane: 'etcd',
  needs: ['peer-proxies'],
  leastPerMinute: 1,
  inflict: (field) =>
    onLeader(field, async (leader) => {
      field.cluster.isolate(leader);
      const hit = await succeeded(field, leader, field.ttlMs / 2, 2 * field.ttlMs);
      return hit && !(await leader.hasLeader());
    }),
};

export const killFollower: Fault = {
  kind: 'kill follower',
  lane: 'etcd',
  leastPerMinute: 0,
  inflict: (field) =>
    onFollower(field, async (follower) => {
      await follower.kill();
      await pause(field, 300, 2_000);
      return !follower.server.running;
    }),
};

export const freezeFollower: Fault = {
  kind: 'freeze follower',
  lane: 'etcd',
  leastPerMinute: 0,
  inflict: (field) =>
    onFollower(field, async (follower) => {
      follower.freeze();
      await pause(field, field.ttlMs / 2, 3.5 * field.ttlMs);
      return !field.signal.aborted;
    }),
};

export const isolateFollower: Fault = {
  kind: 'isolate follower',
  lane: 'etcd',
  needs: ['peer-proxies'],
  leastPerMinute: 0,
  inflict: (field) =>
    onFollower(field, async (follower) => {
      field.cluster.isolate(follower);
      const cutOff = async () => !(await follower.hasLeader());
      const hit = await comesAbout(field, cutOff, ELECTED_MS);
      await pause(field, field.ttlMs, 3 * field.ttlMs);
      return hit;
    }),
};

/** Both followers at once: nothing can be written, and nobody may be told that it was. */
export const loseQuorum: Fault = {
  kind: 'lose quorum',
  lane: 'etcd',
  leastPerMinute: 0,
  async inflict(field) {
    const { cluster, random } = field;
    const leader = await cluster.leader();
    const lost = cluster.members.filter((member) => member !== leader);
    const targets = lost.map(({ name }) => name);
    field.begun(targets);
    try {
      if (random.chance(0.5)) await Promise.all(lost.map((member) => member.kill()));
      else for (const member of lost) member.freeze();
      const headless = async () => !(await leader.hasLeader());
      const hit = await comesAbout(field, headless, NO_QUORUM_MS / 2);
      await pause(field, 100, NO_QUORUM_MS / 2);
      return hit;
    } finally {
      await revive(cluster, ...lost);
    }
  },
};

/** As an operator updates etcd: one after the other, the leader last. */
export const rollingRestart: Fault = {
  kind: 'rolling restart',
  lane: 'etcd',
  leastPerMinute: 0,
  async inflict(field) {
    const { cluster, begun } = field;
    const leader = await cluster.leader();
    const members = [...cluster.members.filter((member) => member !== leader), leader];
    const targets = members.map(({ name }) => name);
    begun(targets);
    for (const member of members) {
      if (field.signal.aborted) return false;
      try {
        await member.stop();
        await pause(field, 100, 500);
      } finally {
        await revive(cluster, member);
      }
    }
    return true;
  },
};

export const replaceMember: Fault = {
  kind: 'replace member',
  lane: 'etcd',
  leastPerMinute: 0,
  async inflict({ cluster, random, begun }) {
    const member = cluster.members[random.int(0, cluster.members.length - 1)]!;
    begun([member.name]);
    // Half a replacement is none: a heal has to wait for it.
    await cluster.replace(member);
    return true;
  },
};

export const moveLeader: Fault = {
  kind: 'move leader',
  lane: 'etcd',
  leastPerMinute: 1,
  async inflict({ cluster, random, begun }) {
    const followers = await cluster.followers();
    const next = followers[random.int(0, followers.length - 1)]!;
    begun([next.name]);
    await cluster.moveLeader(next);
    return true;
  },
};

/** All run, and follow; whatever kept them from it. */
export async function revive(cluster: ChaosCluster, ...members: EtcdMember[]): Promise<void> {
  for (const { server } of members) {
    if (server.running) server.thaw();
    else await server.launch();
  }
  for (const member of members) await cluster.rejoin(member);
}

/** Waits until another member leads. */
export function isRelieved(field: Battlefield, former: EtcdMember): Promise<boolean> {
  const other = async () => (await field.cluster.leader(1_000)) !== former;
  return comesAbout(field, other, ELECTED_MS);
}

async function onLeader(
  field: Battlefield,
  act: (leader: EtcdMember) => Promise<boolean>,
): Promise<boolean> {
  const leader = await field.cluster.leader();
  field.begun([leader.name]);
  try {
    return await act(leader);
  } finally {
    await revive(field.cluster, leader);
  }
}

async function onFollower(
  field: Battlefield,
  act: (follower: EtcdMember) => Promise<boolean>,
): Promise<boolean> {
  const followers = await field.cluster.followers();
  const follower = followers[field.random.int(0, followers.length - 1)]!;
  field.begun([follower.name]);
  try {
    return await act(follower);
  } finally {
    await revive(field.cluster, follower);
  }
}

async function succeeded(
  field: Battlefield,
  leader: EtcdMember,
  leastMs: number,
  mostMs: number,
): Promise<boolean> {
  const hit = await isRelieved(field, leader);
  await pause(field, leastMs, mostMs);
  return hit;
}
