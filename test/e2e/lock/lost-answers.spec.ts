import type { ITxnRequest } from 'etcd3';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LockOptions } from '../../../libs/etcd-coordination/src/lock/lock-options.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { leases } from '../../support/etcd-admin.js';
import { GrpcProxy, type FaultManner } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { keysOf, queueOf } from './lock-keys.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'an answer of etcd that is lost', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let lock: string;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    [a, b] = await Promise.all([
      Instance.start('a', proxy.url),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    lock = `lost-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 0, {
      what: 'nobody to stand in the queue',
    });
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await proxy?.close();
    await server?.stop();
  });

  const manners: FaultManner[] = ['unavailable', 'cut', 'silence'];

  it.each(manners)('leaves a free lock granted, with one key (%s)', async (how) => {
    const fault = proxy.loseAnswer('KV/Txn', { how });
    const held = await a.locks.acquire(lock);
    expect(fault.hits).toBe(1);
    expect(held.isValid()).toBe(true);
    expect(await queueOf(server.endpoint, lock)).toEqual(['a']);
    await held.release();
  });

  it.each<LockOptions>([{}, { queue: 'etcd' }])(
    'leaves a free lock that was only tried granted, and takes no lease (%j)',
    async (options) => {
      const before = await leases(server.endpoint);
      const fault = proxy.loseAnswer('KV/Txn', { times: 2 });
      const held = await a.locks.tryAcquire(lock, options);
      expect(fault.hits).toBe(2);
      expect(held?.isValid()).toBe(true);
      expect(await leases(server.endpoint)).toEqual(before);
      await held!.release();
    },
  );

  it.each(manners)('leaves a lock that was given back to the next (%s)', async (how) => {
    const held = await a.locks.acquire(lock);
    const next = b.locks.acquire(lock);
    await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 2, {
      what: 'b to wait',
    });
    const fault = proxy.loseAnswer('KV/Txn', { how });
    await held.release();
    expect(fault.hits).toBe(1);
    const got = await next;
    expect(got.token > held.token).toBe(true);
    await got.release();
  });

  it('keeps the place of those who are passed on to another process in one request', async () => {
    // Read, its key keeps the lock from being passed on behind it.
    const held = await a.locks.acquire(lock);
    const own = a.locks.acquire(lock);
    const other = b.locks.acquire(lock);
    await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 2, {
      what: 'b to wait',
    });
    expect(held.fence.key).toContain(lock);
    const fault = proxy.loseAnswer('KV/Txn', { times: 2 });
    await held.release();
    expect(fault.hits).toBe(2);
    const second = await other;
    expect(await queueOf(server.endpoint, lock)).toEqual(['b', 'a']);
    await second.release();
    await (await own).release();
  });

  it.each<LockOptions>([{}, { queue: 'etcd' }])(
    'lets no request be applied once it was given up (%j)',
    async (options) => {
      const fault = proxy.loseAnswer('KV/Txn');
      const held = await a.locks.acquire(lock, options);
      const call = await fault.happened;
      await held.release();
      expect(await queueOf(server.endpoint, lock)).toEqual([]);
      // What a network kept for a while, or sent twice.
      using etcd = rawEtcd(server.endpoint);
      await etcd.client.kv.txn(call.request<ITxnRequest>());
      expect(await queueOf(server.endpoint, lock)).toEqual([]);
    },
  );

  it('keeps nobody waiting for one who gave up meanwhile', async () => {
    const fault = proxy.loseAnswer('KV/Txn', { times: 3 });
    const giveUp = new AbortController();
    const waits = a.locks.acquire(lock, { signal: giveUp.signal });
    waits.catch(() => undefined);
    await fault.happened;
    giveUp.abort();
    await expect(waits).rejects.toMatchObject({ code: 'LOCK_WAIT_ABORTED' });
    const held = await b.locks.acquire(lock);
    expect(
      (await keysOf(server.endpoint, lock)).filter((k) => k.startsWith('queue/')),
    ).toHaveLength(1);
    await held.release();
  });
});
