import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { PrefixView } from '../../../libs/etcd-coordination/src/watch/prefix-view.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { compact, deleteKey, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { expectToMatch } from './listing.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';
import { WatchLog } from './watch-log.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();

describeAtOnce(servers, 'a view of a prefix of etcd', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let proxy: GrpcProxy;
  let client: EtcdClient;
  let hub: WatchHub;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    proxy = await GrpcProxy.start({ target: network.url });
    client = await connect(proxy.url);
    hub = new WatchHub(client);
  });
  afterEach(async () => {
    proxy.clearFaults();
    await network.pass();
  });
  afterAll(async () => {
    await hub?.close();
    await client?.close();
    await proxy?.close();
    await network?.close();
    await server?.stop();
  });

  const put = (key: string, value = 'x') => putKey(server.endpoint, key, value);

  it('is right after an outage in which its history was compacted away', async () => {
    for (const name of ['kept', 'changed', 'deleted', 'renewed']) await put(`view/${name}`);
    const view = new PrefixView(client, hub, 'view/');
    const log = new WatchLog();
    hub.watch(prefixRange('view/'), null, log);
    await waitFor(() => view.synced && log.stood.length === 1, { what: 'the view' });
    await network.refuse();
    await put('view/changed', 'new');
    await deleteKey(server.endpoint, 'view/deleted');
    await deleteKey(server.endpoint, 'view/renewed');
    await put('view/renewed');
    await put('view/added');
    const compacted = await compact(server.endpoint);
    await network.pass();
    await expectToMatch(view, server.endpoint);
    await waitFor(() => log.compactions.length === 1, { what: 'the compaction to be reported' });
    expect(log.compactions).toEqual([compacted]);
    expect(log.count).toBe(0);
    await put('view/after');
    await expectToMatch(view, server.endpoint);
    view.close();
  });

  it('is right while its connection is dropped again and again', async () => {
    const view = new PrefixView(client, hub, 'dropped/');
    let changes = 0;
    view.subscribe(() => (changes += 1));
    for (let round = 0; round < 6; round += 1) {
      proxy.cutWatch({ after: round % 3 === 0 ? 'created' : 'first-batch' });
      await put(`dropped/${round % 5}`, `${round}`);
      if (round % 2) await deleteKey(server.endpoint, `dropped/${(round + 2) % 5}`);
      if (round % 4 === 3) proxy.dropConnections();
      await expectToMatch(view, server.endpoint);
    }
    expect(changes).toBeGreaterThan(0);
    view.close();
  });

  it('comes, however often its list fails at first', async () => {
    await put('listed/1');
    // More than one call tries by itself.
    const failing = proxy.fail('KV/Range', { times: 5 });
    const view = new PrefixView(client, hub, 'listed/');
    await waitFor(() => failing.hits > 0, { what: 'the list to fail' });
    await put('listed/2');
    await expectToMatch(view, server.endpoint);
    expect(failing.hits).toBe(5);
    view.close();
  });

  it('does not miss what is written while it is listed', async () => {
    await put('meanwhile/1', 'old');
    const list = proxy.holdAnswer('KV/Range');
    const view = new PrefixView(client, hub, 'meanwhile/');
    await list.happened;
    await put('meanwhile/1', 'new');
    await put('meanwhile/2');
    list.remove();
    await expectToMatch(view, server.endpoint);
    expect(view.entries.get('meanwhile/1')?.value.toString()).toBe('new');
    view.close();
  });

  it('says nothing more once it is closed, but that', async () => {
    const view = new PrefixView(client, hub, 'closed/');
    await expectToMatch(view, server.endpoint);
    let words = 0;
    view.subscribe(() => (words += 1));
    view.close();
    expect(words).toBe(1);
    expect(view.error).toMatchObject({ code: 'CLIENT_CLOSED' });
    const other = new PrefixView(client, hub, 'closed/');
    await put('closed/1');
    await expectToMatch(other, server.endpoint);
    expect(words).toBe(1);
    other.close();
  });
});

describeAtOnce(lines, 'a view of etcd that was restored from a backup', (line) => {
  it('shows what the restored database holds', async () => {
    const dataDir = join(tempFolder('restored'), 'data');
    const server = await EtcdServer.start({ line, dataDir });
    const { endpoint } = server;
    const client = await connect(endpoint);
    const hub = new WatchHub(client);
    try {
      await putKey(endpoint, 'view/in-both', 'old');
      await putKey(endpoint, 'view/only-in-the-backup', 'x');
      await server.kill();
      await cp(dataDir, `${dataDir}.backup`, { recursive: true });
      await server.restart();
      const view = new PrefixView(client, hub, 'view/');
      for (let index = 0; index < 20; index += 1)
        await putKey(endpoint, 'view/in-both', `${index}`);
      await putKey(endpoint, 'view/only-in-what-was-lost', 'x');
      await deleteKey(endpoint, 'view/only-in-the-backup');
      await expectToMatch(view, endpoint);

      await server.kill();
      await rm(dataDir, { recursive: true });
      await cp(`${dataDir}.backup`, dataDir, { recursive: true });
      await server.restart();
      await expectToMatch(view, endpoint);
      expect([...view.entries.keys()].sort()).toEqual(['view/in-both', 'view/only-in-the-backup']);
      expect(view.era).toBe(1);
      await putKey(endpoint, 'view/since', 'x');
      await expectToMatch(view, endpoint);
      view.close();
    } finally {
      await hub.close();
      await client.close();
      await server.kill();
    }
  });
});
