import type { Etcd3, IMemberListResponse, IOptions } from 'etcd3';
import { rawEtcd } from './raw-etcd.js';
import { waitFor } from './wait-for.js';

export type EtcdUser = NonNullable<IOptions['auth']>;

/** One look at the member list and what follows from it; true once there is nothing left to change. */
export type ChangeStep = (list: IMemberListResponse, change: Etcd3['cluster']) => Promise<boolean>;

/**
 * Changes the member list step by step, each after a fresh look, so that a change whose answer was lost is not
 * made twice. etcd refuses changes for some seconds after members came or went: those are tried again.
 */
export async function changeMembers(
  leaderEndpoint: () => Promise<string>,
  step: ChangeStep,
  auth?: EtcdUser,
): Promise<void> {
  const change = async () => {
    using etcd = rawEtcd(await leaderEndpoint(), auth ? { auth } : {});
    const { cluster } = etcd.client;
    return await step(await cluster.memberList({}), cluster);
  };
  await waitFor(change, { timeoutMs: 40_000, intervalMs: 200, what: 'the change of members' });
}
