import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { firstValueFrom, map } from 'rxjs';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { compact, currentRevision, deleteKey, putKey } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { EventLog, NAMESPACE } from './event-log.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'the watch service', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let client: EtcdClient;
  let hub: WatchHub;
  let watch: WatchService;
  let round = 0;
  /** Of one test, relative to the namespace. */
  let dir: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    client = await connect(proxy.url);
    hub = new WatchHub(client);
    watch = new WatchService(client, hub, NAMESPACE);
  });
  beforeEach(() => {
    dir = `test/${(round += 1)}/`;
  });
  afterAll(async () => {
    await watch?.close();
    await hub?.close();
    await client?.close();
    await proxy?.close();
    await server?.stop();
  });

  const put = (key: string, value = 'x') => putKey(server.endpoint, `${NAMESPACE}/${key}`, value);
  const remove = (key: string) => deleteKey(server.endpoint, `${NAMESPACE}/${key}`);

  it('tells puts and deletes of a prefix, keys relative to the namespace, values readable', async () => {
    await put(`${dir}before`);
    const log = await EventLog.standing(watch, { prefix: dir });
    const revision = await put(`${dir}a`, '{"n":1}');
    await put(`${dir.slice(0, -1)}-other`);
    await remove(`${dir}a`);
    await waitFor(() => log.events.length === 2, { what: 'both events' });
    const [first, second] = log.events;
    expect(first).toMatchObject({ type: 'put', key: `${dir}a`, revision, resync: false });
    expect(first!.text()).toBe('{"n":1}');
    expect(first!.json()).toEqual({ n: 1 });
    expect(first!.previous).toBeUndefined();
    expect(second).toMatchObject({ type: 'delete', key: `${dir}a`, resync: false });
    expect(second!.value).toHaveLength(0);
    expect(() => second!.json()).toThrow(expect.objectContaining({ key: `${dir}a` }));
    log.stop();
  });

  it('gives the value before each event where it is asked for, and nowhere else', async () => {
    const first = await put(`${dir}a`, 'one');
    const plain = await EventLog.standing(watch, { prefix: dir });
    const log = await EventLog.standing(watch, { key: `${dir}a` }, { previous: true });
    await put(`${dir}a`, 'two');
    await remove(`${dir}a`);
    await put(`${dir}a`, 'three');
    await waitFor(() => log.events.length === 3 && plain.events.length === 3, { what: 'all' });
    expect(log.events.map((event) => event.previous?.text())).toEqual(['one', 'two', undefined]);
    expect(log.events[0]!.previous).toMatchObject({ key: `${dir}a`, revision: first, version: 1n });
    expect(plain.events.every((event) => event.previous === undefined)).toBe(true);
    plain.stop();
    log.stop();
  });

  it('tells the history from a revision on, and goes on with what is new', async () => {
    await put(`${dir}a`, '1');
    const from = await put(`${dir}a`, '2');
    await remove(`${dir}a`);
    const log = await EventLog.standing(
      watch,
      { prefix: dir },
      { fromRevision: from, previous: true },
    );
    await put(`${dir}a`, '3');
    await waitFor(() => log.events.length === 3, { what: 'the history' });
    expect(log.events.map((event) => [event.type, event.text(), event.previous?.text()])).toEqual([
      ['put', '2', '1'],
      ['delete', '', '2'],
      ['put', '3', undefined],
    ]);
    log.stop();
  });

  it('errors for a compacted revision and for one of the future, naming both', async () => {
    await put(`${dir}a`);
    await put(`${dir}a`);
    const compacted = await compact(server.endpoint);
    const old = new EventLog(watch.prefix(dir, { fromRevision: compacted - 1n }));
    await waitFor(() => old.error, { what: 'the refusal of the old one' });
    expect(old.error).toMatchObject({ code: 'REVISION_COMPACTED' });

    const current = await currentRevision(server.endpoint);
    const future = new EventLog(watch.key(`${dir}a`, { fromRevision: current + 2n }));
    await waitFor(() => future.error, { what: 'the refusal of the future one' });
    expect(future.error).toMatchObject({
      code: 'REVISION_OF_THE_FUTURE',
      revision: current + 2n,
      current,
    });
    const next = await EventLog.standing(watch, { key: `${dir}a` }, { fromRevision: current + 1n });
    await put(`${dir}a`);
    await waitFor(() => next.events.length === 1, { what: 'the next event' });
    next.stop();
  });

  it('joins a standing watch of a range that holds its own, with no call at all', async () => {
    const wide = await EventLog.standing(watch, { prefix: dir });
    const [requests, messages] = [client.requestsSent, proxy.messagesSent('Watch/Watch')];
    const narrow = new EventLog(watch.prefix(`${dir}sub/`));
    const key = new EventLog(watch.key(`${dir}sub/a`));
    const beside = new EventLog(watch.key(`${dir}b`));
    await put(`${dir}sub/a`);
    await put(`${dir}sub/b`);
    await put(`${dir}b`);
    await waitFor(() => wide.events.length === 3, { what: 'the events' });
    expect([narrow, key, beside].map((log) => log.events.map((event) => event.key))).toEqual([
      [`${dir}sub/a`, `${dir}sub/b`],
      [`${dir}sub/a`],
      [`${dir}b`],
    ]);
    expect(client.requestsSent).toBe(requests);
    expect(proxy.messagesSent('Watch/Watch') - messages).toBeLessThanOrEqual(2);
    // It stands as long as anybody uses it.
    wide.stop();
    narrow.stop();
    await put(`${dir}b`);
    await waitFor(() => beside.events.length === 2, { what: 'one event more' });
    expect(key.events).toHaveLength(1);
    key.stop();
    beside.stop();
  });

  it('shows a state: listed, then a new map after each revision, the old ones as they were', async () => {
    await put(`${dir}b`, '1');
    await put(`${dir}a`, '1');
    const state = watch.state(dir);
    const maps: ReadonlyMap<string, { text(): string }>[] = [];
    expect([state.synced, state.revision, state.current.size, state.ageMs()]).toEqual([
      false,
      0n,
      0,
      Infinity,
    ]);
    const following = state.subscribe((current) => maps.push(current));
    await waitFor(() => state.synced, { what: 'the first map' });
    {
      using etcd = rawEtcd(server.endpoint);
      const key = (name: string) => Buffer.from(`${NAMESPACE}/${dir}${name}`);
      await etcd.client.kv.txn({
        compare: [],
        success: [
          { request_put: { key: key('c'), value: Buffer.from('1') } },
          { request_put: { key: key('a'), value: Buffer.from('2') } },
          { request_delete_range: { key: key('b') } },
        ],
        failure: [],
      });
    }
    const revision = await put(`${dir}c`, '2');
    await waitFor(() => maps.length === 3, { what: 'a map after each revision' });
    const shown = maps.map((one) => [...one].map(([key, value]) => `${key}=${value.text()}`));
    expect(shown).toEqual([
      [`${dir}a=1`, `${dir}b=1`],
      [`${dir}a=2`, `${dir}c=1`],
      [`${dir}a=2`, `${dir}c=2`],
    ]);
    expect(state.current).toBe(maps[2]);
    expect(state.revision).toBe(revision);
    expect(state.ageMs()).toBeLessThan(10_000);
    expect(state.repairs).toBe(0);
    // Late ones are shown the present at once, and a part of it joins in.
    const requests = client.requestsSent;
    const late = await firstValueFrom(watch.state(dir).pipe(map((one) => one.size)));
    const part = await firstValueFrom(watch.state(`${dir}a`));
    expect([late, part.size]).toEqual([2, 1]);
    expect(client.requestsSent).toBe(requests);
    following.unsubscribe();
  });

  it('knows how old a state is while its stream is busy with others', async () => {
    const state = watch.state(dir);
    const following = state.subscribe();
    await waitFor(() => state.synced, { what: 'the state' });
    const quiet = new AbortController();
    const others = (async () => {
      while (!quiet.signal.aborted) await put('others');
    })();
    const noise = new EventLog(watch.key('others'));
    await waitFor(() => state.ageMs() > 1000, { what: 'the state to grow older' });
    await waitFor(() => state.ageMs() < 500, { what: 'word that it is current' });
    quiet.abort();
    await others;
    noise.stop();
    following.unsubscribe();
  });

  it('completes what it tells when it is closed, and takes no more', async () => {
    const own = new WatchService(client, hub, NAMESPACE);
    const log = await EventLog.standing(own, { prefix: dir });
    const history = await EventLog.standing(own, { prefix: dir }, { fromRevision: 1n }).catch(
      () => null,
    );
    let completed = false;
    own.state(dir).subscribe({ complete: () => (completed = true) });
    await own.close();
    expect([log.completed, completed, history?.error ?? history?.completed]).toMatchObject([
      true,
      true,
      expect.anything(),
    ]);
    const late = new EventLog(own.key(`${dir}a`));
    expect(late.error).toMatchObject({ code: 'CLIENT_CLOSED' });
  });
});
