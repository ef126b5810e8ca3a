import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { WatchHub } from '../../../libs/etcd-coordination/src/watch/watch-hub.js';
import { WatchService } from '../../../libs/etcd-coordination/src/watch/watch.service.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { deleteKey, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { connect } from './connect.js';
import { EventLog, NAMESPACE } from './event-log.js';
import { expectStateToMatch } from './state-matches.js';

const lines = await availableEtcdLines();
const DIR = 'db/';

/** What a service watches of a server behind a network that the test can cut. */
async function watching(
  endpoint: string,
  checkIntervalMs: number,
  use: (parts: {
    network: TcpProxy;
    watch: WatchService;
    log: EventLog;
    state: ReturnType<WatchService['state']>;
  }) => Promise<void>,
): Promise<void> {
  const network = await TcpProxy.start({ target: endpoint });
  const client = await connect(network.url);
  const hub = new WatchHub(client);
  const watch = new WatchService(client, hub, NAMESPACE, { checkIntervalMs });
  try {
    const state = watch.state(DIR);
    state.subscribe();
    await waitFor(() => state.synced, { what: 'the state' });
    // On the state's watch, which holds the values: what is the same is known to be.
    const log = await EventLog.standing(watch, { prefix: DIR });
    await use({ network, watch, log, state });
  } finally {
    await watch.close();
    await hub.close();
    await client.close();
    await network.close();
  }
}

describeAtOnce(lines, 'what a service watches of etcd that is restored', (line) => {
  const key = (name: string) => `${NAMESPACE}/${DIR}${name}`;

  async function withBackup(
    use: (server: EtcdServer, restore: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    const dataDir = join(tempFolder('restored'), 'data');
    const server = await EtcdServer.start({ line, dataDir });
    try {
      for (const name of ['same', 'changed', 'deleted'])
        await putKey(server.endpoint, key(name), '1');
      await server.kill();
      await cp(dataDir, `${dataDir}.backup`, { recursive: true });
      await server.restart();
      await use(server, async () => {
        await server.kill();
        await rm(dataDir, { recursive: true });
        await cp(`${dataDir}.backup`, dataDir, { recursive: true });
        await server.restart();
      });
    } finally {
      await server.kill();
    }
  }

  it('to a lower revision is told as it is now, what differs once and marked', () =>
    withBackup((server, restore) =>
      watching(server.endpoint, 0, async ({ log, state }) => {
        const { endpoint } = server;
        for (let round = 2; round < 12; round += 1)
          await putKey(endpoint, key('changed'), `${round}`);
        await putKey(endpoint, key('lost'), '1');
        await deleteKey(endpoint, key('deleted'));
        await waitFor(() => log.events.length === 12, { what: 'the events' });
        await restore();
        await waitFor(() => log.resyncs.length >= 3, { what: 'the difference', timeoutMs: 20_000 });
        await putKey(endpoint, key('after'), '1');
        await waitFor(() => log.events.length >= 16, { what: 'the event after it' });
        expect(log.resyncs).toEqual([
          `put ${DIR}changed`,
          `put ${DIR}deleted`,
          `delete ${DIR}lost`,
        ]);
        expect(log.events).toHaveLength(16);
        await expectStateToMatch(state, DIR, endpoint);
        expect(state.repairs).toBe(0);
      }),
    ));

  it('past the last revision with another history is repaired by the check, and counted', () =>
    withBackup((server, restore) =>
      watching(server.endpoint, 500, async ({ network, log, state }) => {
        const { endpoint } = server;
        await putKey(endpoint, key('changed'), '2');
        await putKey(endpoint, key('lost'), '1');
        await waitFor(() => log.events.length === 2, { what: 'the events' });
        await network.refuse();
        await restore();
        for (let round = 0; round < 10; round += 1) await putKey(endpoint, 'elsewhere', `${round}`);
        await putKey(endpoint, key('other'), '1');
        await network.pass();
        await waitFor(() => state.repairs > 0, { what: 'the repair', timeoutMs: 20_000 });
        await expectStateToMatch(state, DIR, endpoint);
        expect(state.repairs).toBe(1);
        // The put may still have come as the event that it is.
        expect(log.resyncs.filter((told) => told !== `put ${DIR}other`)).toEqual([
          `put ${DIR}changed`,
          `delete ${DIR}lost`,
        ]);
        expect(log.events.filter((event) => event.key === `${DIR}other`)).toHaveLength(1);
      }),
    ));
});

describe('what a service watches of an embedded server that comes back empty', () => {
  it.each([0, 30])(
    'is told, whether its revision is lower or past the last, after %i writes',
    async (writes) => {
      let server = await EmbeddedEtcd.start({ logger: false });
      const { endpoint, port } = server;
      try {
        for (const name of ['a', 'b', 'c'])
          await putKey(endpoint, `${NAMESPACE}/${DIR}${name}`, '1');
        await watching(endpoint, 0, async ({ network, log, state }) => {
          await network.refuse();
          await server.close();
          server = await EmbeddedEtcd.start({ port, logger: false });
          await putKey(endpoint, `${NAMESPACE}/${DIR}a`, '2');
          for (let round = 0; round < writes; round += 1)
            await putKey(endpoint, 'other', `${round}`);
          await network.pass();
          await waitFor(() => log.events.length >= 3, {
            what: 'the difference',
            timeoutMs: 20_000,
          });
          expect(log.resyncs).toEqual([`put ${DIR}a`, `delete ${DIR}b`, `delete ${DIR}c`]);
          await expectStateToMatch(state, DIR, endpoint);
          await putKey(endpoint, `${NAMESPACE}/${DIR}d`, '1');
          await waitFor(() => log.events.length === 4, { what: 'the event after it' });
          await expectStateToMatch(state, DIR, endpoint);
        });
      } finally {
        await server.close();
      }
    },
  );
});
