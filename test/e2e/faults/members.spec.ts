import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { RealChaosCluster } from '../../chaos/nemesis/real-chaos-cluster.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import type { EtcdMember } from '../../support/etcd-cluster.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance } from '../election/instance.js';
import { Standing } from './standing.js';

const lines = await availableEtcdLines();
/** Longer than any of these faults may take: what is lost here is lost without need. */
const TTL = 15;
const SYNC_MS = 500;

/** Members come, go and are cut off, as long as two of three are there: nobody may notice. */
describeAtOnce(lines, 'a leader that holds a lock and watches', (line) => {
  let cluster: RealChaosCluster;
  let standing: Standing;

  beforeAll(async () => {
    cluster = await RealChaosCluster.start({ line });
  });
  beforeEach(async () => {
    standing = await Standing.start('a', endpoints(), options);
  });
  let next: Instance | null = null;
  afterEach(async () => {
    await standing?.close();
    await next?.close();
  });
  /** Whatever was done: it holds what it held, was told everything, and can pass all on. */
  afterEach(async () => {
    await cluster.heal();
    await standing.write(leading, 3);
    await standing.expectAllTold();
    standing.expectHeld();
    next = await Instance.start('b', endpoints(), options);
    await standing.expectHandOver(next);
  });
  afterAll(() => cluster?.stop());

  const options = { ttlSeconds: TTL, endpointSyncInterval: SYNC_MS };
  const endpoints = () => cluster.members.map((member) => member.endpoint);
  const leading = async () => (await cluster.leader()).server.endpoint;

  it('goes on over a rolling restart of etcd', { timeout: 60_000 }, async () => {
    const leader = await cluster.leader();
    const order = [...(await cluster.followers()), leader];
    for (const member of order) {
      await member.stop();
      await standing.write(leading, 5);
      await member.server.launch();
      await cluster.rejoin(member);
      await standing.write(leading, 5);
    }
    standing.expectHeld();
  });

  it('goes on while the member that it is on is cut off from the others', async () => {
    const member = telling(cluster, standing);
    cluster.isolate(member);
    await waitFor(async () => !(await member.hasLeader()), { what: 'the minority' });
    // It would still be answered there, from what that member knew.
    expect(await reads(member, 'serializable')).toBe('answered');
    // Its own deadline, or that member's, which cancels the call by the same one.
    expect(await reads(member, 'linearizable')).toMatch(/deadline|no leader|1 CANCELLED/i);
    const majority = async () => {
      const next = await cluster.leader();
      return next === member ? Promise.reject(new Error('not yet')) : next.server.endpoint;
    };
    await standing.write(majority, 20);
    await standing.expectAllTold();
    standing.expectHeld();
  });

  it('goes on while the disk of the member that it is on is full', async (context) => {
    context.skip(!cluster.has.has('small-disk'), cluster.lacks.join(' '));
    const member = telling(cluster, standing);
    await cluster.fillDisk(member);
    expect(member.server.logTail(200)).toContain('no space left on device');
    await standing.write(leading, 10);
    await standing.expectAllTold();
    standing.expectHeld();
    await cluster.cureDisk(member);
  });

  it('goes on while the member that it is on is replaced', { timeout: 60_000 }, async () => {
    const member = telling(cluster, standing);
    const { id } = await member.status();
    const replaced = cluster.replace(member);
    await standing.write(leading, 20);
    await replaced;
    expect((await member.status()).id).not.toBe(id);
    await standing.write(leading, 20);
    await standing.expectAllTold();
    standing.expectHeld();
  });
});

/** The member that tells the instance's watches now. */
function telling({ members }: RealChaosCluster, { instance }: Standing): EtcdMember {
  const { stream } = instance.watch as unknown as {
    stream: { endpoint: { address: { url: string } } } | null;
  };
  return members.find((member) => member.endpoint === stream?.endpoint.address.url)!;
}

/** Without a majority a linearizable read waits for one; the limit is short for nothing else is to be seen. */
async function reads(
  { server }: EtcdMember,
  how: 'serializable' | 'linearizable',
): Promise<string> {
  using etcd = rawEtcd(server.endpoint);
  const request = { key: Buffer.from('x'), serializable: how === 'serializable' };
  const deadline = Date.now() + (how === 'serializable' ? 10_000 : 500);
  return await etcd.client.kv.range(request, { deadline }).then(() => 'answered', String);
}
