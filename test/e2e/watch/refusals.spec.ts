import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { prefixRange, singleKey } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { authTokenTtl, compact, enableAuth, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';
import { WatchLog } from './watch-log.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();

describeAtOnce(servers, 'a watch that etcd ends', ({ start }) => {
  let server: ServerUnderTest;
  let client: EtcdClient;
  let hub: WatchHub;
  /** A watch that must not be harmed. */
  let bystander: WatchLog;

  beforeAll(async () => {
    server = await start();
    client = await connect(server.endpoint);
  });
  beforeEach(async () => {
    hub = new WatchHub(client);
    bystander = new WatchLog();
    hub.watch(singleKey('bystander'), null, bystander);
    await waitFor(() => bystander.stood.length === 1, { what: 'the bystander to stand' });
  });
  afterEach(async () => {
    await putBystander();
    expect(bystander.refusals).toEqual([]);
    await hub.close();
  });
  afterAll(async () => {
    await client?.close();
    await server?.stop();
  });

  /** Puts the bystander's key, and waits until it is told: all that came before is told too. */
  async function putBystander(): Promise<void> {
    const told = bystander.count + 1;
    await putKey(server.endpoint, 'bystander', 'x');
    await waitFor(() => bystander.count === told, { what: 'the bystander to be told' });
  }

  it('for its empty range harms no other, before or after', async () => {
    const log = new WatchLog();
    hub.watch({ key: Buffer.from('b'), rangeEnd: Buffer.from('a') }, null, log);
    const after = new WatchLog();
    hub.watch(singleKey('after'), null, after);
    await waitFor(() => log.refusals.length === 1, { what: 'the refusal' });
    expect(log.refusals[0]).toMatchObject({ code: 'ETCD_REQUEST_FAILED' });
    expect(log.stood).toEqual([]);
    await putKey(server.endpoint, 'after', 'x');
    await waitFor(() => after.count === 1, { what: 'the later watch to be told' });
    expect(bystander.stood).toHaveLength(1);
  });

  it('for its compacted revision is told so, and from where it could go on', async () => {
    for (let index = 0; index < 3; index += 1) await putKey(server.endpoint, 'old', `${index}`);
    const compacted = await compact(server.endpoint);
    const log = new WatchLog();
    hub.watch(singleKey('old'), 1n, log);
    await waitFor(() => log.compactions.length === 1, { what: 'the compaction' });
    expect(log.compactions).toEqual([compacted]);
    expect(log.count).toBe(0);
    await putKey(server.endpoint, 'old', 'x');
    await putBystander();
    expect(log.count).toBe(0);
    const fresh = new WatchLog();
    hub.watch(singleKey('old'), compacted + 1n, fresh);
    await waitFor(() => fresh.count > 0, { what: 'the new watch to be told' });
  });

  it('says nothing more once it is cancelled, whenever that was', async () => {
    const logs = Array.from({ length: 4 }, () => new WatchLog());
    const [standing, early, twice, inside] = logs as [WatchLog, WatchLog, WatchLog, WatchLog];
    hub.watch(singleKey('gone'), null, early).cancel();
    const first = hub.watch(singleKey('gone'), null, standing);
    const second = hub.watch(singleKey('gone'), null, twice);
    const third = hub.watch(singleKey('gone'), null, {
      standing: (revision, resumed) => inside.standing(revision, resumed),
      events: (events) => {
        inside.events(events);
        third.cancel();
      },
      compacted: (revision) => inside.compacted(revision),
      refused: (error) => inside.refused(error),
    });
    await waitFor(() => inside.stood.length === 1, { what: 'the last one to stand' });
    first.cancel();
    second.cancel();
    second.cancel();
    const words = logs.map((log) => log.words);
    await putKey(server.endpoint, 'gone', '1');
    await putKey(server.endpoint, 'gone', '2');
    await putBystander();
    expect(logs.map((log) => log.words)).toEqual([words[0], 0, words[2], words[3]! + 1]);
  });

  it('begins anew when all were cancelled, and hears nothing when the hub is closed', async () => {
    const own = new WatchHub(client);
    const first = new WatchLog();
    own.watch(singleKey('again'), null, first).cancel();
    const second = new WatchLog();
    own.watch(singleKey('again'), null, second);
    await waitFor(() => second.stood.length === 1, { what: 'the second to stand' });
    await putKey(server.endpoint, 'again', 'x');
    await waitFor(() => second.count === 1, { what: 'the second to be told' });
    expect(first.words).toBe(0);
    await own.close();
    await putKey(server.endpoint, 'again', 'y');
    await putBystander();
    expect(second.count).toBe(1);
    const late = new WatchLog();
    own.watch(singleKey('again'), null, late);
    expect(late.refusals).toMatchObject([{ code: 'CLIENT_CLOSED' }]);
  });
});

describeAtOnce(lines, 'a watch under a user of etcd', (line) => {
  let server: EtcdServer;
  let client: EtcdClient;
  let hub: WatchHub;
  const canExpire = line !== '3.4';

  beforeAll(async () => {
    server = await EtcdServer.start({ line, extraArgs: canExpire ? authTokenTtl(1) : [] });
    await enableAuth(server.endpoint, 'secret', [
      { name: 'orders', password: 'pass', prefix: 'orders/' },
    ]);
    client = await connect(server.endpoint, { auth: { username: 'orders', password: 'pass' } });
    hub = new WatchHub(client);
  });
  afterAll(async () => {
    await hub?.close();
    await client?.close();
    await server?.kill();
  });

  async function put(key: string): Promise<void> {
    const auth = { username: 'root', password: 'secret' };
    using etcd = rawEtcd(server.endpoint, { auth });
    await etcd.client.put(key).value('x');
  }

  it('is refused where the user may not look, and harms no other', async () => {
    const [orders, stock, both] = [new WatchLog(), new WatchLog(), new WatchLog()];
    hub.watch(prefixRange('orders/'), null, orders);
    await waitFor(() => orders.stood.length > 0, { what: 'the permitted one to stand' });
    hub.watch(prefixRange('stock/'), null, stock);
    hub.watch(prefixRange('stock/'), null, both);
    await waitFor(() => stock.refusals.length + both.refusals.length === 2, { what: 'refusals' });
    expect(stock.refusals[0]).toMatchObject({
      code: 'ETCD_PERMISSION_DENIED',
      message: expect.stringMatching(/stock\/.*orders/),
    });
    await put('orders/1');
    await put('stock/1');
    await waitFor(() => orders.count === 1, { what: 'the permitted one to be told' });
    expect(stock.count + both.count).toBe(0);
    // Nor was the stream opened anew, which it shares with them.
    expect(orders.stood).toHaveLength(1);
  });

  it.runIf(canExpire)('goes on when the token has expired, and others can be begun', async () => {
    const log = new WatchLog();
    hub.watch(prefixRange('orders/'), null, log);
    await waitFor(() => log.stood.length > 0, { what: 'the watch to stand' });
    // etcd asks nobody whether a token is still good: a second is all there is to wait for.
    const expiry = performance.now() + 2_500;
    await waitFor(() => performance.now() > expiry, { what: 'the token to expire' });
    const later = new WatchLog();
    hub.watch(prefixRange('orders/later/'), null, later);
    await waitFor(() => later.stood.length > 0, { what: 'the later watch to stand' });
    await put('orders/later/1');
    await waitFor(() => later.count === 1 && log.count === 1, { what: 'both to be told' });
    expect([...log.refusals, ...later.refusals]).toEqual([]);
  });

  it('goes on when the server has forgotten every token', async () => {
    const log = new WatchLog();
    hub.watch(prefixRange('orders/'), null, log);
    await waitFor(() => log.stood.length > 0, { what: 'the watch to stand' });
    await server.restart();
    await put('orders/2');
    await waitFor(() => log.count === 1, { what: 'the watch to be told' });
    const later = new WatchLog();
    hub.watch(prefixRange('orders/'), null, later);
    await waitFor(() => later.stood.length > 0, { what: 'a new watch to stand' });
    expect([...log.refusals, ...later.refusals]).toEqual([]);
  });
});
