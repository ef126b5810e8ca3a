import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import type { WatchedState } from '../../../libs/etcd-coordination/src/watch/watched-state.js';
import { putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster, type EtcdMember } from '../../support/etcd-cluster.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { EventLog, NAMESPACE } from './event-log.js';
import { expectStateToMatch } from './state-matches.js';
import { written } from './watch-log.js';

const lines = await availableEtcdLines();

describe.each(lines)('what a service watches of three members of etcd %s', (line) => {
  let cluster: EtcdCluster;
  let client: EtcdClient;
  let hub: WatchHub;
  let watch: WatchService;
  let log: EventLog;
  let state: WatchedState;
  let expected: string[];
  let round = 0;
  let dir: string;

  beforeAll(async () => {
    cluster = await EtcdCluster.start({ line });
  });
  beforeEach(async () => {
    dir = `members/${(round += 1)}/`;
    client = await connect(cluster.endpoints);
    hub = new WatchHub(client);
    watch = new WatchService(client, hub, NAMESPACE, { checkIntervalMs: 500 });
    state = watch.state(dir);
    state.subscribe();
    log = await EventLog.standing(watch, { prefix: dir });
    expected = [];
  });
  /** Whatever was done: all is told once and in order, and nothing had to be repaired. */
  afterEach(async () => {
    await cluster.heal();
    await put(await cluster.leader());
    await waitFor(() => log.events.length >= expected.length, {
      what: 'every event',
      timeoutMs: 20_000,
    });
    expect(log.lines).toEqual(expected);
    expect(log.resyncs).toEqual([]);
    await expectStateToMatch(state, dir, (await cluster.leader()).server.endpoint);
    expect(state.repairs).toBe(0);
    await watch.close();
    await hub.close();
    await client.close();
  });
  afterAll(() => cluster?.stop());

  async function put(member: EtcdMember, times = 1): Promise<void> {
    for (let index = 0; index < times; index += 1) {
      const key = `${NAMESPACE}/${dir}${expected.length % 7}`;
      const revision = await putKey(member.server.endpoint, key, `${expected.length}`);
      expected.push(written('put', key, revision));
    }
  }

  /** The member that tells the watches now. */
  function telling(): EtcdMember {
    const { stream } = hub as unknown as {
      stream: { endpoint: { address: { url: string } } } | null;
    };
    return cluster.members.find((member) => member.endpoint === stream?.endpoint.address.url)!;
  }

  it('loses nothing while a member is frozen', async () => {
    const member = telling();
    member.freeze();
    await put(await cluster.leader(), 50);
    await waitFor(() => log.events.length === expected.length, { what: 'all', timeoutMs: 15_000 });
  });

  it('loses nothing when a member is killed', async () => {
    const member = telling();
    const [other] = cluster.members.filter((one) => one !== member);
    await put(other!, 20);
    await member.kill();
    await put(await cluster.leader(), 50);
    await waitFor(() => log.events.length === expected.length, { what: 'all', timeoutMs: 15_000 });
  });

  it('loses nothing while its member is in the minority', async () => {
    const member = telling();
    const others = cluster.members.filter((one) => one !== member);
    await Promise.all(others.map((one) => one.kill()));
    await waitFor(() => state.ageMs() > 2500, { what: 'the state to know that it is old' });
    await Promise.all(others.map((one) => one.server.launch()));
    await put(await cluster.leader(), 20);
    await waitFor(() => log.events.length === expected.length, { what: 'all', timeoutMs: 15_000 });
    await waitFor(() => state.ageMs() < 1000, { what: 'the state to be current' });
  });
});
