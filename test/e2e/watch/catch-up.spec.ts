import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { putKey } from '../../support/etcd-admin.js';
import { GrpcProxy, type CutOptions } from '../../support/grpc-proxy.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { writeHistory, type History } from './history.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';
import { WatchLog, written } from './watch-log.js';

const servers = await serversUnderTest();

describe.each(servers)('a watch that catches up with $name', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let client: EtcdClient;
  let hub: WatchHub;
  let events: History;
  let megabytes: History;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    // 2,278 revisions, which etcd tells in three batches, with 5,000 events.
    events = await writeHistory(server.endpoint, 'events/', { singles: 2250, hundreds: 28 });
    expect(events.lines).toHaveLength(5000);
    // 6 MB in one batch, told in fragments.
    megabytes = await writeHistory(server.endpoint, 'megabytes/', {
      singles: 600,
      valueBytes: 10_240,
    });
    client = await connect(proxy.url);
    hub = new WatchHub(client);
  });
  afterEach(() => proxy.clearFaults());
  afterAll(async () => {
    await hub?.close();
    await client?.close();
    await proxy?.close();
    await server?.stop();
  });

  /** Watches from the history's beginning to its end and one event more, and compares. */
  async function expectWhole(prefix: string, history: History): Promise<WatchLog> {
    const log = new WatchLog();
    const watch = hub.watch(prefixRange(prefix), history.from, log);
    await waitFor(() => log.count >= history.lines.length, {
      what: () => `${history.lines.length} events, of which ${log.count} are here`,
    });
    // What might still come of the history comes before this one.
    const after = await putKey(server.endpoint, `${prefix}after`, 'x');
    const last = written('put', `${prefix}after`, after);
    await waitFor(() => log.count > history.lines.length && log.all.at(-1) === last, {
      what: 'the event after the history',
    });
    watch.cancel();
    const earlier = log.all.filter((line) => !line.endsWith(` put ${prefix}after`));
    expect(earlier).toEqual(history.lines);
    expect(log.torn).toEqual([]);
    expect(log.refusals).toEqual([]);
    expect(log.compactions).toEqual([]);
    return log;
  }

  it.each([
    ['with its connection right after it was created', { how: 'cut', after: 'created' }],
    ['after its first batch', { how: 'unavailable', after: 'first-batch' }],
    ['right after it was created, twice in a row', { after: 'created', times: 2 }],
    ['after the first batch, three times in a row', { after: 'first-batch', times: 3 }],
  ] as [string, CutOptions][])(
    'loses none of 5,000 events when it is cut %s',
    async (_, options) => {
      const cut = proxy.cutWatch(options);
      const log = await expectWhole('events/', events);
      expect(cut.hits).toBe(options.times ?? 1);
      expect(log.stood).toHaveLength(1 + cut.hits);
    },
  );

  it('loses none when it is cut after the first batch and then, on coming back, right after it was created', async () => {
    const batch = proxy.cutWatch({ after: 'first-batch' });
    const again = proxy.cutWatch({
      after: 'created',
      when: (_response, _index, call) => batch.hits === 1 && call.received === 0,
    });
    await expectWhole('events/', events);
    expect([batch.hits, again.hits]).toEqual([1, 1]);
  });

  it('tells 600 events of 10 KB once and in whole revisions', async () => {
    await expectWhole('megabytes/', megabytes);
  });

  it.each([1, 2])(
    'loses none when it is cut in the middle of fragments, %i times',
    async (times) => {
      let fragments = 0;
      const cut = proxy.cutWatch({
        after: 'first-batch',
        times,
        // The second part each time: some of the whole is here, and some is not.
        when: (response) => response['fragment'] === true && (fragments += 1) % 2 === 0,
      });
      await expectWhole('megabytes/', megabytes);
      expect(cut.hits).toBe(times);
    },
  );

  it('is told 600 events of 10 KB that were written while the server was out of reach', async () => {
    const network = await TcpProxy.start({ target: server.endpoint });
    const far = await connect(network.url);
    const farHub = new WatchHub(far);
    try {
      const log = new WatchLog();
      farHub.watch(prefixRange('outage/'), null, log);
      await waitFor(() => log.stood.length === 1, { what: 'the watch to stand' });
      await network.refuse();
      const history = await writeHistory(server.endpoint, 'outage/', {
        singles: 600,
        valueBytes: 10_240,
      });
      await network.pass();
      await waitFor(() => log.count >= 600, { what: () => `600 events, ${log.count}` });
      expect(log.all).toEqual(history.lines);
      expect(log.torn).toEqual([]);
    } finally {
      await farHub.close();
      await far.close();
      await network.close();
    }
  });

  it('carries a hundred watches on one stream, each told its own', async () => {
    const before = proxy.count('Watch/Watch');
    const logs = Array.from({ length: 100 }, () => new WatchLog());
    const watches = logs.map((log, index) => hub.watch(prefixRange(`own/${index}/`), null, log));
    await waitFor(() => logs.every((log) => log.stood.length === 1), { what: 'all to stand' });
    for (const index of logs.keys()) await putKey(server.endpoint, `own/${index}/key`, 'x');
    await waitFor(() => logs.every((log) => log.count > 0), { what: 'an event for each' });
    for (const [index, log] of logs.entries()) {
      expect(log.all).toEqual([expect.stringMatching(new RegExp(` put own/${index}/key$`))]);
    }
    expect(proxy.count('Watch/Watch') - before).toBeLessThanOrEqual(1);
    for (const watch of watches) watch.cancel();
  });
});
