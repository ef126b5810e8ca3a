import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Subscription } from 'rxjs';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import type { WatchedState } from '../../../libs/etcd-coordination/src/watch/watched-state.js';
import { compact, deleteKey, putKey } from '../../support/etcd-admin.js';
import { GrpcProxy, type CutOptions } from '../../support/grpc-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { EventLog, NAMESPACE } from './event-log.js';
import { writeHistory, type History } from './history.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';
import { expectStateToMatch } from './state-matches.js';
import { written } from './watch-log.js';

const servers = await serversUnderTest();

describe.each(servers)('what a service watches through an outage of $name', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let proxy: GrpcProxy;
  let client: EtcdClient;
  let hub: WatchHub;
  let watch: WatchService;
  let log: EventLog;
  let state: WatchedState;
  let following: Subscription;
  let round = 0;
  let dir: string;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    proxy = await GrpcProxy.start({ target: network.url });
    client = await connect(proxy.url);
  });
  beforeEach(async () => {
    dir = `outage/${(round += 1)}/`;
    hub = new WatchHub(client);
    // No check may mend what the watch should not have lost.
    watch = new WatchService(client, hub, NAMESPACE, { checkIntervalMs: 0 });
    log = await EventLog.standing(watch, { prefix: dir });
    state = watch.state(dir);
    following = state.subscribe();
    await waitFor(() => state.synced, { what: 'the state' });
  });
  afterEach(async () => {
    following.unsubscribe();
    await watch.close();
    await hub.close();
    proxy.clearFaults();
    await network.pass();
  });
  afterAll(async () => {
    await client?.close();
    await proxy?.close();
    await network?.close();
    await server?.stop();
  });

  const put = (name: string, value = 'x') =>
    putKey(server.endpoint, `${NAMESPACE}/${dir}${name}`, value);
  const remove = (name: string) => deleteKey(server.endpoint, `${NAMESPACE}/${dir}${name}`);

  async function expectWhole({ lines }: History): Promise<void> {
    await waitFor(() => log.lines.length >= lines.length, {
      what: () => `${lines.length} events, of which ${log.lines.length} are here`,
      timeoutMs: 20_000,
    });
    const after = await put('after');
    const last = written('put', `${NAMESPACE}/${dir}after`, after);
    await waitFor(() => log.lines.at(-1) === last, { what: 'the event after it' });
    expect(log.lines).toEqual([...lines, last]);
    expect(log.resyncs).toEqual([]);
    await expectStateToMatch(state, dir, server.endpoint);
  }

  it.each([
    ['after created', [{ after: 'created' }]],
    ['after its first batch', [{ after: 'first-batch', how: 'unavailable' }]],
    ['after created, twice in a row', [{ after: 'created', times: 2 }]],
    [
      'after its first batch and then right after created',
      [{ after: 'first-batch' }, { after: 'created' }],
    ],
  ] as [string, CutOptions[]][])(
    'tells 5,000 events once and in order when its catch-up is cut %s',
    async (_, cuts) => {
      await network.refuse();
      const history = await writeHistory(server.endpoint, `${NAMESPACE}/${dir}`, {
        singles: 2250,
        hundreds: 28,
      });
      const armed = cuts.map((cut) => proxy.cutWatch(cut));
      await network.pass();
      await expectWhole(history);
      expect(armed.map((cut) => cut.hits)).toEqual(cuts.map((cut) => cut.times ?? 1));
    },
  );

  it('tells 600 events of 10 KB once, cut in the middle of a fragment', async () => {
    await network.refuse();
    const history = await writeHistory(server.endpoint, `${NAMESPACE}/${dir}`, {
      singles: 600,
      valueBytes: 10_240,
    });
    const cut = proxy.cutWatch({
      after: 'first-batch',
      when: (response) => response['fragment'] === true,
    });
    await network.pass();
    await expectWhole(history);
    expect(cut.hits).toBe(1);
  });

  it('works out what a compaction took away, each change once and marked', async () => {
    for (const name of ['kept', 'changed', 'deleted', 'renewed']) await put(name);
    await waitFor(() => log.events.length === 4, { what: 'the first events' });
    const maps: number[] = [];
    const counting = state.subscribe((map) => maps.push(map.size));
    await network.refuse();
    const changed = await put('changed', 'new');
    await remove('deleted');
    await remove('renewed');
    const renewed = await put('renewed');
    await put('passing');
    await remove('passing');
    const added = await put('added');
    const compacted = await compact(server.endpoint);
    await network.pass();
    await waitFor(() => log.events.length >= 8, { what: 'the difference' });
    const after = await put('after');
    await waitFor(() => log.events.length >= 9, { what: 'the event after it' });
    const line = (type: 'put' | 'delete', name: string, at: bigint) =>
      written(type, `${NAMESPACE}/${dir}${name}`, at);
    expect(log.lines.slice(4)).toEqual([
      line('put', 'changed', changed),
      line('put', 'renewed', renewed),
      line('put', 'added', added),
      line('delete', 'deleted', compacted),
      line('put', 'after', after),
    ]);
    expect(log.events.map((event) => event.resync)).toEqual([
      false,
      false,
      false,
      false,
      true,
      true,
      true,
      true,
      false,
    ]);
    expect(log.events[4]!.text()).toBe('new');
    await expectStateToMatch(state, dir, server.endpoint);
    // One map for the difference: there never was one in between.
    expect(maps).toEqual([4, 4, 5]);
    counting.unsubscribe();
  });

  it('goes on from a history that it was told, over a compaction', async () => {
    const from = await put('a', '1');
    await put('b', '1');
    const own = await EventLog.standing(watch, { prefix: dir }, { fromRevision: from });
    await waitFor(() => own.events.length === 2, { what: 'the history' });
    await network.refuse();
    await remove('a');
    await put('b', '2');
    await compact(server.endpoint);
    await network.pass();
    await waitFor(() => own.events.length === 4, { what: 'the difference' });
    expect(own.resyncs).toEqual([`put ${dir}b`, `delete ${dir}a`]);
    own.stop();
  });

  it('repairs and counts what an event that was lost has falsified', async () => {
    const checked = new WatchService(client, hub, NAMESPACE, { checkIntervalMs: 300 });
    const checkedState = checked.state(dir);
    const showing = checkedState.subscribe();
    const told = await EventLog.standing(checked, { prefix: dir });
    await put('a', 'old');
    await put('gone');
    await waitFor(() => told.events.length === 2, { what: 'the first events' });
    const isAbout = (name: string) => (response: Record<string, unknown>) =>
      JSON.stringify(response['events'] ?? []).includes(
        JSON.stringify(Buffer.from(`${NAMESPACE}/${dir}${name}`)),
      );
    const lost = ['a', 'gone', 'new'].map((name) =>
      proxy.dropMessage('Watch/Watch', { when: isAbout(name), times: 3 }),
    );
    await put('a', 'new');
    await remove('gone');
    await put('new');
    await waitFor(() => lost.every((fault) => fault.hits > 0), { what: 'the events to be lost' });
    proxy.clearFaults();
    await waitFor(() => checkedState.repairs > 0 && told.resyncs.length >= 3, {
      what: () => `the repair; ${checkedState.repairs} so far`,
      timeoutMs: 20_000,
    });
    await expectStateToMatch(checkedState, dir, server.endpoint);
    expect(told.resyncs).toEqual([`put ${dir}a`, `put ${dir}new`, `delete ${dir}gone`]);
    expect(checkedState.repairs).toBe(1);
    // The one without a check cannot know.
    expect(state.repairs).toBe(0);
    expect(state.current.get(`${dir}a`)?.text()).toBe('old');
    showing.unsubscribe();
    await checked.close();
  });

  it('is not repaired while all is well, however much is written', async () => {
    const checked = new WatchService(client, hub, NAMESPACE, { checkIntervalMs: 20 });
    const checkedState = checked.state(dir);
    const showing = checkedState.subscribe();
    const told = await EventLog.standing(checked, { key: `${dir}1` });
    const before = proxy.count('KV/Range');
    for (let index = 0; index < 400; index += 1) {
      await put(`${index % 10}`, `${index}`);
      if (index % 3 === 0) await remove(`${(index * 7) % 10}`);
    }
    await waitFor(() => proxy.count('KV/Range') - before > 10, { what: 'some checks' });
    await expectStateToMatch(checkedState, dir, server.endpoint);
    expect(checkedState.repairs).toBe(0);
    expect(told.resyncs).toEqual([]);
    showing.unsubscribe();
    await checked.close();
  });
});
