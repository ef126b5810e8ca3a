import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LockLostError } from '../../../libs/etcd-coordination/src/lock/lock.errors.js';
import { deleteKey, putKey, revokeLease } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance, NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { keysOf, queueOf, queuePrefix } from './lock-keys.js';

const servers = await serversUnderTest();

/** What an adversary found, each in its smallest form. Not all servers at once: who keeps a lock has 250 ms to give it up. */
describe.each(servers)('in a corner, on $name', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let lock: string;
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);

  beforeAll(async () => {
    process.on('unhandledRejection', note);
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    [a, b] = await Promise.all([
      Instance.start('a', proxy.url),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    lock = `corner-${(round += 1)}`;
  });
  afterEach(async () => {
    proxy.clearFaults();
    await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 0, {
      what: 'nobody to stand in the queue',
    });
    expect(unhandled).toEqual([]);
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await proxy?.close();
    await server?.stop();
    process.off('unhandledRejection', note);
  });

  it('a lost answer does not have all who wait shut each other out', async () => {
    const before = a.client.requestsSent;
    proxy.loseAnswer('KV/Txn');
    const uses = Array.from({ length: 20 }, () =>
      a.locks.using(lock, () => undefined, { queue: 'etcd' }),
    );
    await Promise.all(uses);
    expect(a.client.requestsSent - before).toBeLessThan(300);
  });

  it('a revoked lease costs the locks on it, and none on the next', async () => {
    const c = await Instance.start('c', server.endpoint);
    const taken: string[] = [];
    const states = c.session.state$.subscribe(() => {
      const id = c.session.lease?.id;
      if (id && taken.at(-1) !== id) taken.push(id);
    });
    await revokeLease(server.endpoint, c.session.lease!.id);
    const names = Array.from({ length: 1050 }, (_, i) => `${lock}/${i}`);
    const held = await Promise.all(names.map((name) => c.locks.acquire(name)));
    const last = c.session.lease!.id;
    expect(new Set(taken).size).toBeLessThanOrEqual(2);
    expect(taken.at(-1)).toBe(last);
    states.unsubscribe();
    await Promise.all(held.map((handle) => handle.release()));
    await c.close();
  });

  it('a try that is given up rejects, and nobody is left to be told', async () => {
    const held = await b.locks.acquire(lock);
    for (const queue of ['local', 'etcd'] as const) {
      const giveUp = new AbortController();
      const tried = a.locks.tryAcquire(lock, { signal: giveUp.signal, queue });
      await Promise.resolve();
      giveUp.abort();
      await expect(tried).rejects.toMatchObject({ code: 'LOCK_WAIT_ABORTED' });
    }
    const c = await Instance.start('c', server.endpoint);
    const tried = c.locks.tryAcquire(lock).catch((error: unknown) => error);
    await Promise.resolve();
    await c.close();
    expect(await tried).toMatchObject({ code: 'LOCK_SHUTDOWN' });
    await held.release();
  });

  it('a try that asks for a span gets it', async () => {
    const held = await a.locks.tryAcquire(lock, { holdAtLeastMs: 400 });
    expect(held?.isValid()).toBe(true);
    await held!.release();
    expect(await b.locks.tryAcquire(lock)).toBeNull();
    const next = await b.locks.acquire(lock);
    await next.release();
  });

  it('a span that nobody got holds nobody up', async () => {
    const second = await b.locks.acquire(`${lock}-2`);
    const both = a.locks.multi([lock, `${lock}-2`]);
    await expect(both.acquire({ holdAtLeastMs: 60_000, waitMs: 300 })).rejects.toMatchObject({
      code: 'LOCK_BUSY',
    });
    const got = await b.locks.acquire(lock, { waitMs: 5000 });
    await Promise.all([got.release(), second.release()]);
  });

  it('a lock of another connection is another lock', async () => {
    const other = await Instance.start('a', server.endpoint);
    await a.locks.using(`${lock}-x`, async (outer) => {
      const inner = other.locks.acquire(`${lock}-x`, { waitMs: 50, reentrant: true });
      // On the same etcd it is held; what matters is that it is asked for there.
      await expect(inner).rejects.toMatchObject({ code: 'LOCK_BUSY' });
      expect(outer.isValid()).toBe(true);
    });
    await other.close();
  });

  it('a fence whose key is read too late guards nothing', async () => {
    const first = await a.locks.acquire(lock);
    const { fence } = first;
    const second = a.locks.acquire(lock);
    await first.release();
    const next = await second;
    using etcd = rawEtcd(server.endpoint);
    const { succeeded } = await etcd.client
      .if(fence.key, 'Create', '==', fence.revision.toString())
      .then(etcd.client.put('late').value('late'))
      .commit();
    expect(succeeded).toBe(false);
    expect(next.isValid()).toBe(true);
    await next.release();
  });

  it('a semaphore whose permits are changed has one number at a time', async () => {
    const three = a.locks.semaphore(lock, 3);
    await (await three.acquire()).release();
    await deleteKey(server.endpoint, `${NAMESPACE}/lock/${lock}/permits`);
    const one = await a.locks.semaphore(lock, 1).acquire();
    await expect(three.acquire()).rejects.toMatchObject({ code: 'SEMAPHORE_PERMITS', permits: 1 });
    await expect(b.locks.semaphore(lock, 3).acquire()).rejects.toMatchObject({ permits: 1 });
    expect(one.isValid()).toBe(true);
    expect(await b.locks.semaphore(lock, 1).tryAcquire()).toBeNull();
    await one.release();
  });

  it('a lock is kept only behind a key that says so', async () => {
    const plain = await a.locks.acquire(lock);
    const kept = a.locks.acquire(lock, { keep: true });
    await plain.release();
    await (await kept).release();
    const tried = await waitFor(() => b.locks.tryAcquire(lock), { what: 'b to have it' });
    await tried.release();
  });

  it('a key that a stranger put holds nobody up, under the own name and in between', async () => {
    await putKey(server.endpoint, `${queuePrefix(lock)}${a.leaseHex}-0-w`, 'by hand');
    const held = await a.locks.acquire(lock, { waitMs: 10_000 });
    await held.release();

    await putKey(server.endpoint, `${queuePrefix(lock)}README`, 'by hand');
    const tried = await b.locks.tryAcquire(lock);
    expect(tried?.isValid()).toBe(true);
    await tried!.release();
    await deleteKey(server.endpoint, `${queuePrefix(lock)}README`);

    const semaphore = `${lock}-s`;
    const first = await a.locks.semaphore(semaphore, 2).acquire();
    await putKey(server.endpoint, `${NAMESPACE}/lock/${semaphore}/semaphore/1a-0-w`, 'by hand');
    const second = await b.locks.semaphore(semaphore, 2).acquire({ waitMs: 10_000 });
    await Promise.all([first.release(), second.release()]);
  });

  it('names that were tried in vain are forgotten with the others', async () => {
    const names = Array.from({ length: 1500 }, (_, i) => `${lock}/${i}`);
    const held = await Promise.all(names.map((name) => b.locks.acquire(name)));
    const tried = await Promise.all(names.map((name) => a.locks.tryAcquire(name)));
    expect(tried.every((handle) => handle === null)).toBe(true);
    const { named } = (a.locks as unknown as { book: { named: Map<string, unknown> } }).book;
    await waitFor(() => named.size <= 1001, { what: 'the book to be small again' });
    await Promise.all(held.map((handle) => handle.release()));
  });

  it('work does not begin under a lock that is over', async () => {
    const c = await Instance.start('c', server.endpoint, { ttlSeconds: 2 });
    const [book] = [c.locks];
    const grant = await book.acquire(lock);
    await revokeLease(server.endpoint, c.session.lease!.id);
    await waitFor(() => !grant.isValid(), { what: 'the loss' });
    const run = (book as unknown as { book: { run: (l: unknown, w: () => void) => Promise<void> } })
      .book;
    await expect(run.run(grant, () => expect.unreachable())).rejects.toThrow(LockLostError);
    await c.close();
    expect(await keysOf(server.endpoint, lock)).toEqual([]);
  });
});
