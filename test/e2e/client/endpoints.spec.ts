import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdConnectError } from '../../../libs/etcd-coordination/src/client/etcd-connect.error.js';
import { InvalidEndpointError } from '../../../libs/etcd-coordination/src/client/endpoint-address.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdCluster } from '../../support/etcd-cluster.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { freePort } from '../../support/free-port.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { renewal, startSession } from '../session/sessions.js';
import { connect } from './connecting.js';
import { clientOptions } from './options.js';

const lines = await availableEtcdLines();
const quick = { timeouts: { connect: 2000 } };

describe.runIf(lines.length > 0)('the endpoints at the start', () => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start();
  });
  afterAll(() => server.stop());

  it('are refused when they belong to two clusters, and both are named', async () => {
    const stranger = await EtcdServer.start({
      extraArgs: ['--initial-cluster-token', 'another'],
    });
    onTestFinished(() => stranger.stop());
    const endpoints = [server.endpoint, stranger.endpoint];
    await expect(EtcdClient.connect(clientOptions(endpoints, quick))).rejects.toMatchObject({
      code: 'ENDPOINTS_OF_TWO_CLUSTERS',
      endpoint: server.endpoint,
      other: stranger.endpoint,
    });
  });

  it('are all named, each with its reason, when none can be used', async () => {
    const frozen = await TcpProxy.start({ target: server.address });
    frozen.blackhole();
    const closing = await TcpProxy.start({ target: `127.0.0.1:${await freePort()}` });
    const endpoints = {
      [`http://127.0.0.1:${await freePort()}`]: 'refused',
      'http://no-such-host.invalid:2379': 'unknown-host',
      [frozen.url]: 'timed-out',
      [closing.url]: 'not-http2',
    };
    const connecting = EtcdClient.connect(clientOptions(Object.keys(endpoints), quick));
    const error = await connecting.catch((failure: unknown) => failure);
    expect(error).toBeInstanceOf(EtcdConnectError);
    expect(error).toMatchObject({ code: 'ETCD_CONNECT_FAILED' });
    const { failures, message } = error as EtcdConnectError;
    const reasons = failures.map(({ endpoint, reason }) => [endpoint, reason]);
    expect(Object.fromEntries(reasons)).toEqual(endpoints);
    for (const [endpoint, reason] of Object.entries(endpoints)) {
      expect(message).toContain(`${endpoint}: ${reason}`);
    }
    await Promise.all([frozen.close(), closing.close()]);
  });

  it('may be dead but for one; calls do not suffer from the others', async () => {
    const dead = `http://127.0.0.1:${await freePort()}`;
    const { etcd, endpoints } = await connect([dead, server.endpoint]);
    expect(endpoints).toHaveLength(2);
    for (let i = 0; i < 10; i += 1) await etcd.put('k').value(i);
  });

  it.each([[[]], [['localhost']]])(
    'are refused if there is none, or a malformed one: %j',
    async (bad) => {
      const client = await connect(server.endpoint);
      expect(() => client.setEndpoints(bad)).toThrow(InvalidEndpointError);
      expect(client.endpoints).toEqual([server.endpoint]);
      await client.etcd.put('k').value('v');
    },
  );

  it('take one TCP connection each for calls, the lease and both kinds of watches', async () => {
    const proxy = await TcpProxy.start({ target: server.address });
    const client = await connect(proxy.url, { endpointSyncInterval: 50 });
    const { lease } = await startSession(client, 1);
    const hub = new WatchHub(client);
    let standing = 0;
    for (const prefix of ['a/', 'b/', 'c/']) {
      const handlers = {
        standing: () => (standing += 1),
        events: noop,
        compacted: noop,
        refused: noop,
      };
      hub.watch(prefixRange(prefix), null, handlers);
    }
    await client.etcd.watch().prefix('raw/').create();
    const raw = client.etcd.lease(5);
    await raw.put('leased').value('v');
    const calls = Array.from({ length: 100 }, (_, i) =>
      client.etcd.put(`k/${i}`).value('v').exec(),
    );
    await Promise.all(calls);
    await waitFor(() => standing === 3, { what: 'the watches to stand' });
    await renewal(lease);
    expect(proxy.connectionsOpened).toBe(1);
    await raw.revoke();
    await hub.close();
    await client.close();
    await waitFor(() => proxy.connectionsOpen === 0, { what: 'the connection to be closed' });
    await proxy.close();
  });
});

describe.runIf(lines.length > 0)('the endpoints while running', () => {
  let cluster: EtcdCluster;

  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterEach(() => cluster.heal());
  afterAll(() => cluster.stop());

  it('are found in the member list, starting with one of them', async () => {
    const client = await connect(cluster.endpoints[0]!, { endpointSyncInterval: 100 });
    await waitFor(() => client.endpoints.length === 3, { what: 'three endpoints' });
    expect([...client.endpoints].sort()).toEqual([...cluster.endpoints].sort());
    // The one from the options may go now.
    await cluster.members[0]!.kill();
    await waitFor(
      () =>
        client.etcd
          .get('k')
          .string()
          .then(() => true),
      { what: 'a call to go on' },
    );
  });

  it('are given another set, and the streams of those that go move on', async () => {
    const [first, second] = cluster.members as [
      (typeof cluster.members)[0],
      (typeof cluster.members)[0],
    ];
    const client = await connect(first.endpoint);
    const { session, states, lease } = await startSession(client, 3);
    const hub = new WatchHub(client);
    const seen: string[] = [];
    let standing = 0;
    hub.watch(prefixRange('moved/'), null, {
      standing: () => (standing += 1),
      events: (events) => seen.push(...events.map(({ kv }) => kv.value.toString())),
      compacted: noop,
      refused: noop,
    });
    await waitFor(() => standing === 1, { what: 'the watch to stand' });
    client.setEndpoints([second.endpoint]);
    expect(client.endpoints).toEqual([second.endpoint]);
    await waitFor(() => first.proxy.connectionsOpen === 0, { what: 'the first to be left' });
    await putKey(second.server.endpoint, 'moved/k', 'v');
    await waitFor(() => seen.includes('v'), { what: 'the watch to move' });
    await renewal(lease);
    expect(session.lease).toBe(lease);
    expect(states).not.toContain('lost');
    expect(seen).toEqual(['v']);
    await hub.close();
  });
});

describe.runIf(lines.length > 0)('the endpoints of a cluster that changes', () => {
  it('lose a member that was removed, and gain one that was added, if it can be reached', async () => {
    const cluster = await EtcdCluster.start();
    onTestFinished(() => cluster.stop());
    const client = await connect(cluster.endpoints, { endpointSyncInterval: 100 });
    const [leaver] = await cluster.followers();
    const rest = cluster.members.filter((member) => member !== leaver);
    using raw = rawEtcd(rest.map((member) => member.server.endpoint));
    const admin = raw.client.cluster;
    const { id } = await leaver!.status();

    await waitFor(() => admin.memberRemove({ ID: id }).then(() => true), {
      timeoutMs: 15_000,
      intervalMs: 100,
      what: 'the cluster to let a member go',
    });
    await waitFor(() => client.endpoints.length === 2, { what: 'the member to be dropped' });
    expect(client.endpoints).not.toContain(leaver!.endpoint);

    // One whose advertised address leads nowhere is not taken.
    const peer = await freePort();
    const { member } = await waitFor(
      () => admin.memberAdd({ peerURLs: [`http://127.0.0.1:${peer}`] }),
      { timeoutMs: 15_000, intervalMs: 100, what: 'the cluster to take a member' },
    );
    const { members } = await admin.memberList({});
    const place = members
      .map((m) => `${m.ID === member.ID ? 'new' : m.name}=${m.peerURLs[0]}`)
      .join(',');
    const proxy = await TcpProxy.start();
    await proxy.refuse();
    const added = await EtcdServer.create({
      advertise: proxy.url,
      cluster: { name: 'new', peerUrl: `http://127.0.0.1:${peer}`, members: place },
      extraArgs: ['--initial-cluster-state', 'existing'],
    });
    proxy.target = added.address;
    await added.launch();
    await added.healthy();
    const asked = client.requestsSent;
    await waitFor(() => client.requestsSent > asked + 10, { what: 'several more looks' });
    expect(client.endpoints).toHaveLength(2);

    // One that answers at a configured address is, though that was dropped before.
    leaver!.proxy.target = added.address;
    await leaver!.proxy.pass();
    await waitFor(() => client.endpoints.includes(leaver!.endpoint), {
      what: 'the configured address to be taken back',
    });
    expect(client.endpoints).toHaveLength(3);

    const newcomer = await connect(
      rest.map(({ endpoint }) => endpoint),
      { endpointSyncInterval: 100 },
    );
    await proxy.pass();
    await waitFor(() => newcomer.endpoints.includes(proxy.url), { what: 'the member to be taken' });
    expect(newcomer.endpoints).toHaveLength(3);
    await added.kill();
    await proxy.close();
  });
});

function noop(): void {}
