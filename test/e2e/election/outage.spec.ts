import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { Leadership } from '../../../libs/etcd-coordination/src/election/leadership.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { compact, keysUnder, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { Instance, prefixOf, queueOf, TermLog } from './instance.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();

describeAtOnce(servers, 'an instance that etcd is out of reach of', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let near: Instance;
  let far: Instance;
  let round = 0;
  let election: string;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
    near = await Instance.start('near', server.endpoint);
    far = await Instance.start('far', network.url);
  });
  beforeEach(() => {
    election = `outage-${(round += 1)}`;
  });
  afterEach(async () => {
    await network.pass();
    await Promise.all([near, far].map(({ elections }) => elections.leave(election)));
  });
  afterAll(async () => {
    await Promise.all([near?.close(), far?.close()]);
    await network?.close();
    await server?.stop();
  });

  it('waits on after an outage with a compaction, and wins when it is its turn', async () => {
    const log = new TermLog(far, election);
    await near.elections.campaign(election);
    await far.elections.join(election);
    await network.refuse();
    for (let index = 0; index < 3; index += 1) {
      await putKey(server.endpoint, `${prefixOf(election)}passing-${index}`, 'x');
    }
    for (const { key } of (await keysUnder(server.endpoint, prefixOf(election))).slice(2)) {
      await near.client.etcd.delete().key(key);
    }
    await compact(server.endpoint);
    await network.pass();
    await near.elections.leave(election);
    const term = await waitFor(() => log.standing, { what: 'far to lead' });
    expect(log.epochs).toEqual([term.epoch]);
  });

  it('learns after an outage with a compaction that it has won meanwhile', async () => {
    const log = new TermLog(far, election);
    await near.elections.campaign(election);
    await far.elections.join(election);
    await network.refuse();
    await near.elections.leave(election);
    await putKey(server.endpoint, 'something', 'else');
    await compact(server.endpoint);
    await network.pass();
    await waitFor(() => log.standing, { what: 'far to lead' });
    expect(await queueOf(server.endpoint, election)).toEqual(['far']);
  });

  it('names the right leader when two candidate keys come in one response', async () => {
    const seen: (Leadership | null)[] = [];
    await near.elections.campaign(election);
    const watching = far.elections.observe(election).subscribe((leader) => seen.push(leader));
    await waitFor(() => seen.at(-1)?.leaderId === 'near', { what: 'the leader to be seen' });
    await network.refuse();
    // The names of the keys are in the other order than the keys came.
    const { etcd } = near.client;
    for (const [lease, id] of [
      ['15', 'second'],
      ['1', 'third'],
    ] as const) {
      await near.client.leaseGrant(lease, 60);
      const key = `${prefixOf(election)}${Number(lease).toString(16)}-1`;
      await etcd
        .put(key)
        .value(JSON.stringify({ id, value: '', mark: id }))
        .lease(lease);
    }
    await near.elections.leave(election);
    await network.pass();
    await waitFor(() => seen.at(-1)?.leaderId !== 'near', { what: 'another leader' });
    expect(seen.map((leader) => leader?.leaderId)).toEqual(['near', 'second']);
    watching.unsubscribe();
    for (const lease of ['15', '1']) await near.client.leaseRevoke(lease);
  });
});

describeAtOnce(lines, 'an etcd that comes back from a backup', (line) => {
  it('has one leader again, whom everybody names', async () => {
    const dataDir = join(tempFolder('restored'), 'data');
    const server = await EtcdServer.start({ line, dataDir });
    const instances = await Promise.all(
      ['a', 'b'].map((id) => Instance.start(id, server.endpoint, { ttlSeconds: 30 })),
    );
    const [a, b] = instances as [Instance, Instance];
    try {
      // The backup knows the leases, and nothing of the election.
      await server.kill();
      await cp(dataDir, `${dataDir}.backup`, { recursive: true });
      await server.launch();
      await server.healthy();
      const logs = [new TermLog(a, 'e'), new TermLog(b, 'e')];
      for (let index = 0; index < 50; index += 1) await putKey(server.endpoint, 'some', 'writes');
      await a.elections.join('e');
      await b.elections.join('e');
      const before = await waitFor(() => logs[0]!.standing, { what: 'a to lead' });

      await server.kill();
      await rm(dataDir, { recursive: true });
      await cp(`${dataDir}.backup`, dataDir, { recursive: true });
      await server.launch();
      await server.healthy();

      await waitFor(() => before.signal.aborted, { what: 'the lost term to end' });
      await waitFor(async () => (await queueOf(server.endpoint, 'e')).length === 2, {
        what: 'both to be back',
      });
      const [first] = await keysUnder(server.endpoint, prefixOf('e'));
      const standing = () => logs.flatMap((log) => log.standing ?? []);
      await waitFor(() => standing().length === 1, { what: 'one leader' });
      expect(standing()[0]!.fence.key).toBe(first!.key);
      const { epoch } = standing()[0]!;
      for (const { elections } of instances) {
        await waitFor(() => elections.leader('e')?.epoch === epoch, { what: 'the same leader' });
      }
    } finally {
      await Promise.all(instances.map((instance) => instance.close()));
      await server.kill();
    }
  });
});
