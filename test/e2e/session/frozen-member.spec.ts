import { describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import type { SessionState } from '../../../libs/etcd-coordination/src/session/session-state.js';
import { leaseTtl } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster, type EtcdMember } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { clientOptions } from '../client/options.js';
import { keyStands, putOnLease, renewal } from './sessions.js';

const TTL = 5;
const lines = await availableEtcdLines();
/**
 * FACTS.md, Lease: with plain etcd3 one frozen follower of three kills every lease whose keepalives went to
 * it, for it waits a whole TTL before it asks another member.
 */
describe('one frozen member of three', () => {
  it.concurrent.each(lines)(
    'costs no lease, be it a follower or the leader, etcd %s',
    { timeout: 90_000 },
    async (line) => {
      await Promise.all([holdWithout('follower', line), holdWithout('leader', line)]);
    },
  );
});

async function holdWithout(role: 'follower' | 'leader', line: string): Promise<void> {
  const cluster = await EtcdCluster.start({ line });
  const victim = role === 'leader' ? await cluster.leader() : (await cluster.followers())[0]!;
  // The keepalives go to the victim, for it is the only endpoint; then the others are made known.
  const client = await EtcdClient.connect(clientOptions(victim.endpoint));
  const session = new EtcdSession(client, { ttlSeconds: TTL });
  try {
    await holdThrough(cluster, victim, client, session);
  } finally {
    await cluster.heal();
    await session.close();
    await client.close();
    await cluster.stop();
  }
}

async function holdThrough(
  cluster: EtcdCluster,
  victim: EtcdMember,
  client: EtcdClient,
  session: EtcdSession,
): Promise<void> {
  const witness = cluster.members.find((member) => member !== victim)!.server.endpoint;
  const states: SessionState[] = [];
  session.state$.subscribe((state) => states.push(state));
  await session.start();
  const lease = session.lease!;
  await putOnLease(witness, 'held', lease.id);
  await renewal(lease);
  client.setEndpoints(cluster.endpoints);
  states.length = 0;

  victim.freeze();
  const frozenAt = performance.now();
  await waitFor(() => performance.now() - frozenAt > 3 * TTL * 1000, {
    timeoutMs: 30_000,
    intervalMs: 100,
    what: 'three TTLs to pass',
  });
  expect(await keyStands(witness, 'held')).toBe(true);
  expect(await leaseTtl(witness, lease.id)).toBeGreaterThan(0);
  expect(session.lease).toBe(lease);
  expect(lease.signal.aborted).toBe(false);
  expect(states.slice(0, 2)).toEqual(['suspect', 'active']);
  expect(states.at(-1)).toBe('active');
  expect(states).not.toContain('lost');
}
