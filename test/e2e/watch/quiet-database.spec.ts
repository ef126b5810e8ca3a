import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { prefixRange } from '../../../libs/etcd-coordination/src/watch/key-range.js';
import { PrefixView } from '../../../libs/etcd-coordination/src/watch/prefix-view.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { putKey } from '../../support/etcd-admin.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { serversUnderTest, type ServerUnderTest } from './servers.js';
import { WatchLog } from './watch-log.js';

// A watch that goes on after an interruption begins after what it was told last. Where nothing was written
// since, that revision is yet to come, and etcd says nothing of its progress until it has.
describeAtOnce(
  await serversUnderTest(),
  'a database into which nobody writes, of $name',
  ({ start }) => {
    let server: ServerUnderTest;
    let network: TcpProxy;
    let client: EtcdClient;
    let hub: WatchHub;

    beforeAll(async () => {
      server = await start();
      network = await TcpProxy.start({ target: server.endpoint });
      client = await connect(network.url);
      hub = new WatchHub(client);
      await putKey(server.endpoint, 'quiet/a', '1');
    });
    const now = () => client.clock.now();
    afterAll(async () => {
      await hub?.close();
      await client?.close();
      await network?.close();
      await server?.stop();
    });

    it('is known to be current again after an outage, on the first stream that stands', async () => {
      const warned = vi.spyOn(Logger.prototype, 'warn');
      const view = new PrefixView(client, hub, 'quiet/');
      await waitFor(() => view.synced, { what: 'the view' });
      await network.refuse();
      await waitFor(() => view.restoredMs() === 0, { what: 'the interruption' });
      await network.pass();
      await waitFor(() => view.restoredMs() > 0, { what: 'the watch to stand again' });
      // Twice: known anew, and not just once.
      for (let time = 1; time <= 2; time++) {
        const since = now();
        await waitFor(() => view.ageMs() < now() - since, {
          what: 'word of etcd',
          timeoutMs: 30_000,
        });
      }
      expect(warned.mock.calls.map(String).filter((line) => line.includes('fell silent'))).toEqual(
        [],
      );
      view.close();
    });

    it('is known to be cut off though its stream falls silent just as it is begun again', async () => {
      const view = new PrefixView(client, hub, 'quiet/');
      await waitFor(() => view.synced, { what: 'the view' });
      // From here on its watch is one from a revision to come.
      await network.refuse();
      await waitFor(() => view.restoredMs() === 0, { what: 'the interruption' });
      await network.pass();
      await waitFor(() => view.restoredMs() > 0, { what: 'the watch to stand again' });
      network.blackhole();
      await waitFor(() => view.restoredMs() === 0, { what: 'the silence', timeoutMs: 30_000 });
      await network.pass();
      await waitFor(() => view.restoredMs() > 0, { what: 'the end of it', timeoutMs: 30_000 });
      view.close();
    });

    it('is watched on from a revision to come, which keeps no other watch from word of its progress', async () => {
      const view = new PrefixView(client, hub, 'quiet/');
      await waitFor(() => view.synced, { what: 'the view' });
      const log = new WatchLog();
      const { header } = await client.range({ key: Buffer.from('quiet/a') });
      const next = BigInt(header.revision) + 1n;
      hub.watch(prefixRange('quiet/'), next, log);
      await waitFor(() => log.stood.length === 1, { what: 'the watch' });
      const since = now();
      await waitFor(() => view.ageMs() < now() - since, {
        what: 'word of etcd',
        timeoutMs: 30_000,
      });
      await putKey(server.endpoint, 'quiet/a', '2');
      await putKey(server.endpoint, 'quiet/a', '3');
      await waitFor(() => log.count >= 2, { what: 'the events' });
      expect(log.calls.flat().map(({ kv }) => kv.value.toString())).toEqual(['2', '3']);
      expect(log.stood).toHaveLength(1);
      view.close();
    });
  },
);
