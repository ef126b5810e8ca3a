import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { PrefixView } from '../../../libs/etcd-coordination/src/watch/prefix-view.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster, type EtcdMember } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { expectToMatch } from './listing.js';
import { WatchLog, written } from './watch-log.js';

const lines = await availableEtcdLines();
/** What the issue allows for noticing and leaving a member. */
const LEFT_WITHIN_MS = 5_000;

describe.each(lines)('a watch on three members of etcd %s', (line) => {
  let cluster: EtcdCluster;
  let client: EtcdClient;
  let hub: WatchHub;
  let log: WatchLog;
  let view: PrefixView;
  let expected: string[];
  let round = 0;
  let prefix: string;

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ line });
  });
  beforeEach(async () => {
    prefix = `failover/${(round += 1)}/`;
    client = await connect(cluster.endpoints);
    hub = new WatchHub(client);
    log = new WatchLog();
    view = new PrefixView(client, hub, prefix);
    hub.watch(prefixRange(prefix), null, log);
    expected = [];
    await waitFor(() => view.synced && log.stood.length === 1, { what: 'the watch to stand' });
    await put('before');
  });
  /** Whatever was done: healed, everything is told once, in order, and the view is right. */
  afterEach(async () => {
    await cluster.heal();
    await put('after', await cluster.leader());
    await waitFor(() => log.count >= expected.length, { what: 'every event', timeoutMs: 15_000 });
    expect(log.all).toEqual(expected);
    await expectToMatch(view, cluster.members[0]!.server.endpoint);
    await hub.close();
    await client.close();
  });
  afterAll(() => cluster?.stop());

  /** Puts a key at a member that is well, past the proxies. */
  async function put(name: string, member = cluster.members[0]!): Promise<void> {
    const revision = await putKey(member.server.endpoint, prefix + name, name);
    expected.push(written('put', prefix + name, revision));
  }

  /** The member that tells the watches now. */
  function telling(): EtcdMember | undefined {
    const { stream } = hub as unknown as {
      stream: { endpoint: { address: { url: string } } } | null;
    };
    return cluster.members.find((member) => member.endpoint === stream?.endpoint.address.url);
  }

  async function expectLeft(member: EtcdMember, since: number): Promise<void> {
    await waitFor(() => telling() !== member, { what: `${member.name} to be left` });
    const ms = performance.now() - since;
    console.log(`etcd ${line}: left after ${ms.toFixed(0)} ms`);
    expect(ms).toBeLessThanOrEqual(LEFT_WITHIN_MS);
  }

  it.each(['a follower', 'the leader'])('leaves a member that is frozen, %s', async (which) => {
    const member = telling()!;
    const [follower] = (await cluster.followers()).filter((other) => other !== member);
    if (which === 'the leader') await cluster.moveLeader(member);
    else if ((await cluster.leader()) === member) await cluster.moveLeader(follower!);
    const frozenAt = performance.now();
    member.freeze();
    const left = expectLeft(member, frozenAt);
    // etcd's own leader first has to be followed by another one.
    await put('while-frozen', await cluster.leader());
    await left;
    await waitFor(() => log.count === expected.length, { what: 'the event elsewhere' });
  });

  it('leaves a member whose connection swallows everything', async () => {
    const member = telling()!;
    const since = performance.now();
    member.proxy.blackhole('to-client');
    await put('while-swallowed', member);
    await expectLeft(member, since);
    await waitFor(() => log.count === expected.length, { what: 'the event elsewhere' });
  });

  it('leaves a member that is alone, and is told everything once there is a majority again', async () => {
    const member = telling()!;
    const others = cluster.members.filter((other) => other !== member);
    const since = performance.now();
    await Promise.all(others.map((other) => other.kill()));
    await expectLeft(member, since);
    await Promise.all(others.map((other) => other.server.launch()));
    await put('with-a-majority', await cluster.leader());
    await waitFor(() => log.count === expected.length, { what: 'the event', timeoutMs: 15_000 });
  });

  it('goes on at another member when its own is killed', async () => {
    const member = telling()!;
    await member.kill();
    await put('while-it-is-gone', await cluster.leader());
    await waitFor(() => log.count === expected.length, { what: 'the event elsewhere' });
    expect(telling()).not.toBe(member);
  });
});
