import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { availableEtcdLines } from './etcd-binaries.js';
import { EtcdCluster } from './etcd-cluster.js';
import { rawEtcd } from './raw-etcd.js';
import { waitFor } from './wait-for.js';

const lines = await availableEtcdLines();

describe.runIf(lines.length > 0)('three members behind proxies', () => {
  let cluster: EtcdCluster;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.stop());

  it('shows clients the proxies as its members', async () => {
    using etcd = rawEtcd(cluster.endpoints);
    const { members } = await etcd.client.cluster.memberList({});
    expect(members.flatMap((member) => member.clientURLs).sort()).toEqual(
      [...cluster.endpoints].sort(),
    );
  });

  it('has one leader, and another after a move, a kill and a freeze', async () => {
    const [first] = await cluster.followers();
    await cluster.moveLeader(first!);
    expect(await cluster.leader()).toBe(first);

    await first!.kill();
    const second = await cluster.leader();
    expect(second).not.toBe(first);
    await first!.restart();

    second.freeze();
    const third = await cluster.leader();
    expect(third).not.toBe(second);
    await cluster.heal();
    await waitFor(async () => (await cluster.followers()).length === 2, { what: 'two followers' });
  });

  it('answers through a proxy only while that lets it', async () => {
    const member = cluster.members[0]!;
    using etcd = rawEtcd(member.endpoint);
    const read = (ms: number) =>
      etcd.client.kv.range({ key: Buffer.from('x') }, { deadline: Date.now() + ms });
    await read(2_000);
    expect(member.proxy.connectionsOpen).toBe(1);
    for (const way of ['both', 'to-server', 'to-client'] as const) {
      member.proxy.blackhole(way);
      await expect(read(200)).rejects.toThrow(/deadline/i);
      await member.proxy.pass();
      await read(5_000);
    }
    await member.proxy.refuse();
    await expect(read(2_000)).rejects.toThrow(/UNAVAILABLE|connect|ECONNREFUSED|No connection/i);
    await member.proxy.pass();
    await waitFor(() => read(1_000), { what: 'the member to be reached again' });
    expect(member.proxy.connectionsOpened).toBeGreaterThan(1);
  });
});
