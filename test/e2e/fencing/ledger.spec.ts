import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { newestFenceKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { LOCAL_GRANT } from '../../../libs/etcd-coordination/src/context/fence.js';
import { FenceLedger } from '../../../libs/etcd-coordination/src/fencing/fence-ledger.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { clientOptions } from '../client/options.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { fenceOf, NAMESPACE } from '../../support/fences.js';

const servers = await serversUnderTest();

describe.each(servers)('the ledger of fences in $name', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let clients: EtcdClient[];
  /** Two processes' ledgers; the first one's answers can be lost. */
  let here: FenceLedger;
  let there: FenceLedger;
  let round = 0;
  let lock: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    clients = await Promise.all(
      [proxy.url, server.endpoint].map((url) => EtcdClient.connect(clientOptions(url))),
    );
    [here, there] = clients.map((client) => new FenceLedger({ client, namespace: NAMESPACE })) as [
      FenceLedger,
      FenceLedger,
    ];
  });
  beforeEach(() => {
    proxy.clearFaults();
    lock = `sku/${(round += 1)}`;
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await proxy.close();
    await server.stop();
  });

  async function stored(): Promise<{ value: string; version: string } | null> {
    using etcd = rawEtcd(server.endpoint);
    const { kvs } = await etcd.client.get(newestFenceKey(NAMESPACE, `lock/${lock}`)).exec();
    return kvs[0] ? { value: kvs[0].value.toString(), version: kvs[0].version } : null;
  }

  async function store(value: string): Promise<void> {
    using etcd = rawEtcd(server.endpoint);
    await etcd.client.put(newestFenceKey(NAMESPACE, `lock/${lock}`)).value(value);
  }

  it('takes the first, the same again and a newer one, and refuses an older one everywhere', async () => {
    await here.observe(fenceOf(lock, 5));
    await there.observe(fenceOf(lock, 5));
    await there.observe(fenceOf(lock, 5, 1));
    await expect(here.observe(fenceOf(lock, 5))).rejects.toMatchObject({
      code: 'STALE_FENCE',
      resource: `lock/${lock}`,
      token: fenceOf(lock, 5).token,
      newest: fenceOf(lock, 5, 1).token,
    });
    await here.observe(fenceOf(lock, 5, 1));
    await here.observe(fenceOf(lock, 1000));
    await expect(there.observe(fenceOf(lock, 999, 2 ** 20 - 1))).rejects.toMatchObject({
      code: 'STALE_FENCE',
    });
  });

  it('writes once a grant, in one call each time', async () => {
    const before = clients[1]!.requestsSent;
    for (const revision of [9, 9, 9, 10, 10]) await there.observe(fenceOf(lock, revision));
    await expect(there.observe(fenceOf(lock, 9))).rejects.toThrow(/has been seen since/);
    expect(clients[1]!.requestsSent - before).toBe(6);
    expect((await stored())?.version).toBe('2');
  });

  it('compares numbers, not texts', async () => {
    for (const revision of [9n, 10n, 99n, 100n, 2n ** 63n - 2n, 2n ** 63n - 1n]) {
      await here.observe(fenceOf(lock, revision));
      await expect(there.observe(fenceOf(lock, revision - 1n))).rejects.toThrow(/seen since/);
    }
  });

  it('knows nothing of one resource from another', async () => {
    await here.observe(fenceOf(lock, 50));
    await here.observe(fenceOf(`${lock}0`, 5));
    await here.observe(fenceOf(`${lock}/x`, 5));
  });

  it('ends at the newest, whoever observes at once', async () => {
    const revisions = Array.from({ length: 60 }, (_, n) => ((n * 37) % 60) + 1);
    const outcomes = await Promise.allSettled(
      revisions.map((revision, n) => (n % 2 ? here : there).observe(fenceOf(lock, revision))),
    );
    expect(await stored()).toMatchObject({ value: `${fenceOf(lock, 60).token}`.padStart(26, '0') });
    const taken = outcomes.filter(({ status }) => status === 'fulfilled');
    expect(taken.length).toBeGreaterThan(0);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason.code).toBe('STALE_FENCE');
    }
  });

  it.each<FaultManner>(['unavailable', 'cut', 'silence'])(
    'settles an answer that was lost (%s)',
    async (how) => {
      const fault = proxy.loseAnswer('KV/Txn', { how });
      await here.observe(fenceOf(lock, 5));
      expect(fault.hits).toBe(1);
      expect((await stored())?.version).toBe('1');
      proxy.loseAnswer('KV/Txn', { how });
      await expect(here.observe(fenceOf(lock, 4))).rejects.toMatchObject({ code: 'STALE_FENCE' });
    },
  );

  it('says that it could not ask, when every answer is lost', async () => {
    proxy.loseAnswer('KV/Txn', { times: 100 });
    await expect(here.observe(fenceOf(lock, 5))).rejects.toMatchObject({
      code: 'FENCE_UNCHECKED',
      statusCode: 503,
      resource: `lock/${lock}`,
      cause: { code: expect.stringMatching(/^ETCD_|^WRITE_OUTCOME/) },
    });
  });

  it.each(['', '0', '12', 'abc', '{"token":5}', ' 5', '9'.repeat(25), '1'.repeat(26)])(
    'accepts nothing where somebody has written %j, and leaves that as it is',
    async (value) => {
      await store(value);
      for (const revision of [1n, 5n, 2n ** 63n - 1n]) {
        await expect(here.observe(fenceOf(lock, revision))).rejects.toMatchObject({
          code: 'FENCE_LEDGER_UNREADABLE',
          key: newestFenceKey(NAMESPACE, `lock/${lock}`),
          message: expect.stringContaining(JSON.stringify(value)),
        });
      }
      expect(await stored()).toMatchObject({ value, version: '1' });
    },
  );

  it('refuses the fence that would replace an entry which lost a digit', async () => {
    await store('5'.padStart(25, '0'));
    await expect(here.observe(fenceOf(lock, 5))).rejects.toMatchObject({
      code: 'FENCE_LEDGER_UNREADABLE',
    });
  });

  it('asks etcd nothing for what is no fence, or of a lock that is lost', async () => {
    const before = clients[0]!.requestsSent;
    const lost = { key: 'x', isValid: () => false, guard: () => Promise.reject(new Error()) };
    await expect(
      here.observe(Object.assign(fenceOf(lock, 5), { [LOCAL_GRANT]: lost })),
    ).rejects.toMatchObject({ code: 'STALE_FENCE', newest: null });
    await expect(here.observe({ ...fenceOf(lock, 5), token: 1n })).rejects.toMatchObject({
      code: 'INVALID_FENCE',
    });
    await expect(here.observe({} as never)).rejects.toMatchObject({ code: 'INVALID_FENCE' });
    expect(clients[0]!.requestsSent).toBe(before);
  });
});
