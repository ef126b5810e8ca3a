import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LockHandle } from '../../../libs/etcd-coordination/src/lock/lock-handle.js';
import type { LockOptions } from '../../../libs/etcd-coordination/src/lock/lock-options.js';
import {
  LockBusyError,
  LockReentryError,
  LockShutdownError,
  LockUpgradeError,
  LockWaitAbortedError,
} from '../../../libs/etcd-coordination/src/lock/lock.errors.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { leases } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { keysOf, queueOf } from './lock-keys.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'a lock', ({ start }) => {
  let server: ServerUnderTest;
  let a: Instance;
  let b: Instance;
  let round = 0;
  let lock: string;

  beforeAll(async () => {
    server = await start();
    [a, b] = await Promise.all([
      Instance.start('a', server.endpoint),
      Instance.start('b', server.endpoint),
    ]);
  });
  beforeEach(() => {
    lock = `lock-${(round += 1)}`;
  });
  afterEach(async () => {
    await waitFor(async () => (await keysOf(server.endpoint, lock)).length === 0, {
      what: 'nothing of the lock to be left',
    });
  });
  afterAll(async () => {
    await Promise.all([a?.close(), b?.close()]);
    await server?.stop();
  });

  /** Resolves when so many stand in the lock's queue. */
  function queued(count: number): Promise<unknown> {
    return waitFor(async () => (await queueOf(server.endpoint, lock)).length === count, {
      what: `${count} to stand in the queue`,
    });
  }

  it('that is free takes one request to have and one to give back, with no lease of its own', async () => {
    const [before, standing] = [a.client.requestsSent, await leases(server.endpoint)];
    const held = await a.locks.acquire(lock);
    expect(held.isValid()).toBe(true);
    expect(held.signal.aborted).toBe(false);
    expect(await leases(server.endpoint)).toEqual(standing);
    await held.release();
    expect(a.client.requestsSent - before).toBe(2);
    expect(held.isValid()).toBe(false);
    expect(held.signal.aborted).toBe(false);
  });

  it('passes from process to process in the order in which they came, with rising tokens', async () => {
    const instances = [a, b, a, b, b, a];
    const first = await a.locks.acquire(lock, { queue: 'etcd' });
    const order: string[] = [];
    const tokens = [first.token];
    const waiting: Promise<void>[] = [];
    for (const [index, instance] of instances.entries()) {
      waiting.push(
        instance.locks.using(
          lock,
          (held) => {
            order.push(`${instance.id}${index}`);
            tokens.push(held.token);
          },
          { queue: 'etcd' },
        ),
      );
      await queued(index + 2);
    }
    await first.release();
    await Promise.all(waiting);
    expect(order).toEqual(instances.map(({ id }, index) => `${id}${index}`));
    expect(tokens).toEqual([...tokens].sort((x, y) => (x < y ? -1 : 1)));
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('is passed on within a process without a call, each grant with a token of its own', async () => {
    const tokens: bigint[] = [];
    const round = async () => {
      const before = a.client.requestsSent;
      const held = await a.locks.acquire(lock);
      tokens.push(held.token);
      const others = Array.from({ length: 40 }, () =>
        a.locks.using(lock, ({ token }) => void tokens.push(token)),
      );
      await held.release();
      await Promise.all(others);
      return a.client.requestsSent - before;
    };
    // Once the watch stands by which the process knows that nobody else waits.
    await waitFor(async () => (await round()) === 2, {
      what: 'a round with a request to have the lock and one to give it back',
    });
    expect(tokens).toEqual([...tokens].sort((x, y) => (x < y ? -1 : 1)));
    expect(new Set(tokens).size).toBe(tokens.length);
  });

  it('goes to another process after a bounded number of turns', async () => {
    const first = await a.locks.acquire(lock);
    const turns: string[] = [];
    const note = (instance: Instance) =>
      instance.locks.using(lock, async () => {
        turns.push(instance.id);
        await pause(2);
      });
    const own = Array.from({ length: 60 }, () => note(a));
    const other = note(b);
    await queued(2);
    await first.release();
    await Promise.all([...own, other]);
    // That many, and those of the moment in which its own watch told it that b waits.
    expect(turns.indexOf('b')).toBeLessThan(40);
    expect(turns).toHaveLength(61);
  });

  it('is not passed on behind a key whose fence went to another process', async () => {
    const first = await a.locks.acquire(lock);
    const second = a.locks.acquire(lock);
    const { key, revision } = first.fence;
    await first.release();
    const next = await second;
    expect(next.fence.revision > revision).toBe(true);
    expect(next.fence.key).not.toBe(key);
    await next.release();
  });

  it('is kept without a call, and given up when another process asks', async () => {
    let last = 0n;
    const turns = async () => {
      const before = a.client.requestsSent;
      for (let i = 0; i < 200; i++) {
        const held = await a.locks.acquire(lock, { keep: true });
        expect(held.token > last).toBe(true);
        last = held.token;
        await held.release();
      }
      return a.client.requestsSent - before;
    };
    // Once the watch stands by which it hears of others who ask.
    await waitFor(async () => (await turns()) === 0, { what: 'turns without a request' });
    expect(await queueOf(server.endpoint, lock)).toEqual(['a']);
    const asked = await b.locks.acquire(lock);
    expect(asked.token > last).toBe(true);
    expect(await queueOf(server.endpoint, lock)).toEqual(['b']);
    await asked.release();
  });

  it('that is only kept is had by one who does not wait', async () => {
    await (await a.locks.acquire(lock, { keep: true })).release();
    const held = await b.locks.tryAcquire(lock);
    expect(held?.isValid()).toBe(true);
    await held!.release();
  });

  it.each<LockOptions>([{}, { queue: 'etcd' }])(
    'is tried without a trace, here and from elsewhere (%j)',
    async (options) => {
      const held = await a.locks.acquire(lock, options);
      expect(await b.locks.tryAcquire(lock, options)).toBeNull();
      expect(await a.locks.tryAcquire(lock, options)).toBeNull();
      await waitFor(async () => (await keysOf(server.endpoint, lock)).length === 1, {
        what: 'the holder to be alone',
      });
      await held.release();
      const got = await b.locks.tryAcquire(lock, options);
      expect(got?.isValid()).toBe(true);
      await got!.release();
    },
  );

  it.each<LockOptions>([{}, { queue: 'etcd' }])(
    'is no longer waited for when the time is over, and nothing of that is left (%j)',
    async (options) => {
      const held = await a.locks.acquire(lock);
      const late = b.locks.acquire(lock, { ...options, waitMs: 400 });
      await expect(late).rejects.toThrow(LockBusyError);
      await expect(late).rejects.toMatchObject({ code: 'LOCK_BUSY', holder: 'a', status: 423 });
      expect(await queueOf(server.endpoint, lock)).toEqual(['a']);
      await expect(b.locks.acquire(lock, { ...options, waitMs: 0 })).rejects.toThrow(LockBusyError);
      expect(held.isValid()).toBe(true);
      await held.release();
      const got = await b.locks.acquire(lock, { ...options, waitMs: 0 });
      await got.release();
    },
  );

  it.each<LockOptions>([{}, { queue: 'etcd' }])(
    'is given up by a signal, which leaves no key and hurts nobody else (%j)',
    async (options) => {
      const held = await a.locks.acquire(lock);
      const giveUp = new AbortController();
      const waits = b.locks.acquire(lock, { ...options, signal: giveUp.signal });
      const patient = b.locks.acquire(lock, options);
      await queued(options.queue === 'etcd' ? 3 : 2);
      giveUp.abort(new Error('no longer needed'));
      await expect(waits).rejects.toThrow(LockWaitAbortedError);
      await expect(waits).rejects.toMatchObject({ cause: new Error('no longer needed') });
      expect(await queueOf(server.endpoint, lock)).toEqual(['a', 'b']);
      await expect(b.locks.acquire(lock, { signal: giveUp.signal })).rejects.toThrow(
        LockWaitAbortedError,
      );
      await held.release();
      await (await patient).release();
    },
  );

  it('is released once, however often that is asked for', async () => {
    const held = await a.locks.acquire(lock);
    await Promise.all([held.release(), held.release()]);
    const next = await b.locks.acquire(lock);
    await held.release();
    expect(next.isValid()).toBe(true);
    expect(await queueOf(server.endpoint, lock)).toEqual(['b']);
    await next[Symbol.asyncDispose]();
  });

  it('is held for as long as it was asked for at least, though it was released', async () => {
    const since = performance.now();
    const held = await a.locks.acquire(lock, { holdAtLeastMs: 700 });
    await held.release();
    expect(held.isValid()).toBe(false);
    expect(await b.locks.tryAcquire(lock)).toBeNull();
    const [own, other] = [a.locks.acquire(lock), b.locks.acquire(lock)];
    await Promise.all([own, other].map(async (next) => (await next).release()));
    expect(performance.now() - since).toBeGreaterThanOrEqual(700);
  });

  it('is held for that span though its holder dies', async () => {
    const c = await Instance.start('c', server.endpoint);
    const since = performance.now();
    await c.locks.acquire(lock, { holdAtLeastMs: 3000 });
    await c.close();
    expect(await keysOf(server.endpoint, lock)).toEqual(['queue/hold']);
    expect(await b.locks.tryAcquire(lock)).toBeNull();
    const next = await b.locks.acquire(lock);
    expect(performance.now() - since).toBeGreaterThanOrEqual(3000);
    await next.release();
  });

  it('is not waited for by the call that has it', async () => {
    await a.locks.using(lock, async (outer) => {
      await expect(a.locks.acquire(lock)).rejects.toThrow(LockReentryError);
      await expect(a.locks.tryAcquire(lock)).rejects.toThrow(LockReentryError);
      await expect(a.locks.using(lock, () => 1)).rejects.toThrow(LockReentryError);
      const nested = await a.locks.using(lock, (inner) => inner.token, { reentrant: true });
      expect(nested).toBe(outer.token);
      expect(outer.isValid()).toBe(true);
    });
  });

  it('is had by readers together and by a writer alone, each in its turn', async () => {
    const [ofA, ofB] = [a.locks.readWrite(lock), b.locks.readWrite(lock)];
    const readers = await Promise.all([ofA.read.acquire(), ofB.read.acquire(), ofA.read.acquire()]);
    expect(readers.every((reader) => reader.isValid())).toBe(true);
    expect(new Set(readers.map(({ token }) => token)).size).toBe(3);
    const told: string[] = [];
    const writer = ofB.write.acquire().then((held) => (told.push('writer'), held));
    await queued(4);
    const later = ofA.read.acquire().then((held) => (told.push('reader'), held));
    await queued(5);
    expect(await ofB.read.tryAcquire()).toBeNull();
    await Promise.all(readers.map((reader) => reader.release()));
    const held = await writer;
    expect(told).toEqual(['writer']);
    await held.release();
    await (await later).release();
    expect(told).toEqual(['writer', 'reader']);
  });

  it('is not turned from reading to writing', async () => {
    const { read, write } = a.locks.readWrite(lock);
    await read.using(async () => {
      await expect(write.acquire()).rejects.toThrow(LockUpgradeError);
      await expect(write.acquire({ reentrant: true })).rejects.toThrow(LockUpgradeError);
      await expect(read.acquire()).rejects.toThrow(LockReentryError);
    });
    await (await write.acquire()).release();
  });

  it('is nothing that another one with a longer name has to do with', async () => {
    const held = await a.locks.acquire(`${lock}x`);
    const other = await b.locks.tryAcquire(lock);
    expect(other?.isValid()).toBe(true);
    await Promise.all([held.release(), other!.release()]);
  });

  it('refuses those who wait when the application shuts down, and lets running work end', async () => {
    const c = await Instance.start('c', server.endpoint);
    const held = await a.locks.acquire(lock);
    const waits = c.locks.acquire(lock);
    waits.catch(() => undefined);
    await queued(2);
    let finish!: () => void;
    let own!: LockHandle;
    const working = c.locks.using(`${lock}-other`, (mine) => {
      own = mine;
      return new Promise<void>((resolve) => (finish = resolve));
    });
    await waitFor(() => own, { what: 'the work to begin' });
    const drained = c.locks.drain(10_000);
    await expect(waits).rejects.toThrow(LockShutdownError);
    await expect(c.locks.acquire(lock)).rejects.toThrow(LockShutdownError);
    expect(await queueOf(server.endpoint, lock)).toEqual(['a']);
    expect(own.signal.aborted).toBe(false);
    finish();
    await working;
    await drained;
    const last = await c.locks.acquire(`${lock}-other`);
    await c.close();
    expect(last.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'shutdown' });
    await held.release();
  });
});
