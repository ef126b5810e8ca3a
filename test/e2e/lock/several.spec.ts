import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LockHandle } from '../../../libs/etcd-coordination/src/lock/lock-handle.js';
import {
  LockBusyError,
  LockReentryError,
  SemaphorePermitsError,
} from '../../../libs/etcd-coordination/src/lock/lock.errors.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { deleteKey, keysUnder, leases } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance, NAMESPACE } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { keysOf, queueOf } from './lock-keys.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'several at once', ({ start }) => {
  let server: ServerUnderTest;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let name: string;

  beforeAll(async () => {
    server = await start();
    [a, b] = await Promise.all([
      Instance.start('a', server.endpoint),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    name = `several-${(round += 1)}`;
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await server?.stop();
  });

  it('hold a semaphore, as many as it has permits, and the next in their order', async () => {
    const of = (instance: Instance) => instance.locks.semaphore(name, 2);
    const held = [await of(a).acquire(), await of(b).acquire()];
    expect(held.map((permit) => permit.isValid())).toEqual([true, true]);
    expect(await of(a).tryAcquire()).toBeNull();
    await expect(of(b).acquire({ waitMs: 50 })).rejects.toThrow(LockBusyError);
    const order: number[] = [];
    const waiting: Promise<void>[] = [];
    for (const [index, instance] of [a, b, a].entries()) {
      const use = of(instance).using(() => void order.push(index));
      waiting.push(use);
      await waitFor(async () => (await keysOf(server.endpoint, name)).length === 4 + index, {
        what: `${index} to wait`,
      });
    }
    // One permit goes through all hands.
    await held[0]!.release();
    await Promise.all(waiting);
    await held[1]!.release();
    expect(order).toEqual([0, 1, 2]);
    expect(await keysOf(server.endpoint, name)).toEqual(['permits']);
  });

  it('never hold more permits than there are, whoever comes and goes', async () => {
    let [inside, most] = [0, 0];
    const work = async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    const uses = Array.from({ length: 60 }, (_, i) =>
      [a, b][i % 2]!.locks.semaphore(name, 3).using(work),
    );
    await Promise.all(uses);
    expect(most).toBe(3);
  });

  it('must agree on the permits of a semaphore', async () => {
    const permit = await a.locks.semaphore(name, 2).acquire();
    const differing = b.locks.semaphore(name, 3);
    await expect(differing.acquire()).rejects.toThrow(SemaphorePermitsError);
    await expect(differing.tryAcquire()).rejects.toMatchObject({
      code: 'SEMAPHORE_PERMITS',
      claimed: 3,
      permits: 2,
    });
    await permit.release();
    await deleteKey(server.endpoint, `${NAMESPACE}/lock/${name}/permits`);
    await (await differing.acquire()).release();
    await expect(a.locks.semaphore(name, 2).acquire()).rejects.toThrow(SemaphorePermitsError);
    expect(await keysOf(server.endpoint, name)).not.toContainEqual(
      expect.stringContaining('semaphore/'),
    );
  });

  it('do not wait for a permit that their own call holds', async () => {
    const semaphore = a.locks.semaphore(name, 1);
    await semaphore.using(async (outer) => {
      await expect(semaphore.acquire()).rejects.toThrow(LockReentryError);
      expect(await semaphore.using((inner) => inner.token, { reentrant: true })).toBe(outer.token);
      // A lock of the same name is another thing.
      await (await a.locks.acquire(name)).release();
    });
  });

  it('take several locks together, or none of them', async () => {
    const [first, second] = [`${name}-1`, `${name}-2`];
    const held = await b.locks.acquire(second);
    const both = a.locks.multi([second, first, second]);
    expect(await both.tryAcquire()).toBeNull();
    await expect(both.acquire({ waitMs: 100 })).rejects.toThrow(LockBusyError);
    await waitFor(async () => (await queueOf(server.endpoint, first)).length === 0, {
      what: 'the first to be given back',
    });
    await held.release();
    const got = await both.acquire();
    expect(got.locks.map(({ key }) => key)).toEqual([first, second]);
    expect(got.isValid()).toBe(true);
    expect(await b.locks.tryAcquire(first)).toBeNull();
    await deleteKey(server.endpoint, got.locks[1]!.fence.key);
    const waits = b.locks.acquire(second);
    await waitFor(() => got.signal.aborted, { what: 'the loss of one', timeoutMs: 15_000 });
    expect(got.isValid()).toBe(false);
    await got.release();
    await (await waits).release();
  });

  it('do not wait for each other when they take the same locks in another order', async () => {
    const names = Array.from({ length: 5 }, (_, i) => `${name}-${i}`);
    let inside = 0;
    const uses = Array.from({ length: 20 }, (_, i) => {
      const order = i % 2 ? names : [...names].reverse();
      return [a, b][i % 2]!.locks.multi(order).using(async () => {
        expect(++inside).toBe(1);
        await a.locks.acquire(names[0]!, { waitMs: 0 }).catch(() => undefined);
        inside -= 1;
      });
    });
    await Promise.all(uses);
  });

  it('hold ten thousand locks of one process on one lease', async () => {
    const c = await Instance.start('c', server.endpoint, { ttlSeconds: 60 });
    const before = await leases(server.endpoint);
    const held: LockHandle[] = [];
    const took = await Promise.all(
      Array.from({ length: 10_000 }, (_, i) => c.locks.acquire(`${name}/${i}`)),
    );
    held.push(...took);
    expect(held.every((lock) => lock.isValid())).toBe(true);
    expect(await leases(server.endpoint)).toEqual(before);
    const keys = await keysUnder(server.endpoint, `${NAMESPACE}/lock/${name}`);
    expect(keys).toHaveLength(10_000);
    expect(new Set(keys.map(({ lease }) => lease)).size).toBe(1);
    await Promise.all(held.map((lock) => lock.release()));
    expect(await keysUnder(server.endpoint, `${NAMESPACE}/lock/${name}`)).toEqual([]);
    await c.close();
  });
});
