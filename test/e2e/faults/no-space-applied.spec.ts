import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  EtcdNoSpaceError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { keysUnder } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { startPublisher, freshName, isWrite, sharedKey } from '../config/publishers.js';
import { Instance, queueOf as candidatesOf } from '../election/instance.js';
import { queueOf } from '../lock/lock-keys.js';
import { freshPrefix, standing, startTransactions } from '../transaction/transactions.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

const NO_SPACE = { code: 8, message: 'etcdserver: mvcc: database space exceeded' };

/**
 * What is under way when the quota of etcd is used up is applied, and answered like what was refused
 * (measured: of 200 puts at a time up to 100, on 3.4 and 3.5).
 */
describe.each(await serversUnderTest())('a write that $name applies, and says no space', (at) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;
  let a: Instance;

  beforeAll(async () => {
    server = await at.start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
    a = await Instance.start('a', proxy.url);
  });
  afterEach(() => proxy.clearFaults());
  afterAll(async () => {
    await a?.close();
    await proxy?.close();
    await server?.stop();
  });

  const sayNoSpace = (times = 1) => proxy.loseAnswer('KV/Txn', { instead: NO_SPACE, times });
  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('it went through'),
      (error: unknown) => error,
    );

  it('is a write that went through', async () => {
    const { transactions } = await startTransactions(proxy.url);
    const key = `${freshPrefix()}key`;
    const fault = sayNoSpace();
    expect(await transactions.compareAndSet(key, null, '1')).toMatchObject({ succeeded: true });
    expect(fault.hits).toBe(1);
    sayNoSpace();
    expect(await transactions.update(key, (v) => `${v!.text()}+`)).toMatchObject({ attempts: 1 });
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '1+' });
    // And the mark tells of the next as well.
    expect(await transactions.compareAndSet(key, '1+', '2')).toMatchObject({ succeeded: true });
  });

  it('is said to be none if it was not applied, and to be unknown where that cannot be told', async () => {
    const { transactions } = await startTransactions(proxy.url);
    const prefix = freshPrefix();
    proxy.fail('KV/Txn', NO_SPACE);
    const refused = transactions.compareAndSet(`${prefix}key`, null, '1');
    expect(await failure(refused)).toBeInstanceOf(EtcdNoSpaceError);
    expect(await standing(server.endpoint, prefix)).toEqual({});
    // The mark was not left behind in a state of its own.
    expect(await transactions.compareAndSet(`${prefix}key`, null, '2')).toMatchObject({
      succeeded: true,
    });

    // So many that there is no room for a mark.
    const full = transactions.batch();
    for (let i = 0; i < 128; i++) full.put(`${prefix}many/${i}`, '1');
    sayNoSpace();
    expect(await failure(full.commit())).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(Object.keys(await standing(server.endpoint, `${prefix}many/`))).toHaveLength(128);
  });

  it.each([{ queue: 'local' }, { queue: 'etcd' }] as const)(
    'is a lock that is held, and nothing is left of it (%j)',
    async (options) => {
      const lock = `full-${options.queue}`;
      for (const take of ['acquire', 'tryAcquire'] as const) {
        const fault = sayNoSpace();
        const held = await a.locks[take](lock, options);
        expect(fault.hits).toBe(1);
        expect(held?.isValid()).toBe(true);
        expect(await queueOf(server.endpoint, lock)).toEqual(['a']);
        await held!.release();
        await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 0, {
          what: 'nobody to stand in the queue',
        });
      }
    },
  );

  it('is a place in the queue of a lock', async () => {
    const b = await Instance.start('b', server.endpoint);
    try {
      const held = await b.locks.acquire('queued');
      const fault = sayNoSpace(2);
      const next = a.locks.acquire('queued');
      await waitFor(async () => (await queueOf(server.endpoint, 'queued')).length === 2, {
        what: 'a to wait',
      });
      await held.release();
      const got = await next;
      expect(fault.hits).toBeGreaterThan(0);
      expect(got.isValid()).toBe(true);
      fault.remove();
      await got.release();
    } finally {
      await b.close();
    }
  });

  it('is no lock if it is merged with others, whichever it was of', async () => {
    const locks = Array.from({ length: 40 }, (_, i) => `merged-${i}`);
    const fault = sayNoSpace(3);
    const held = await Promise.all(locks.map((lock) => a.locks.acquire(lock)));
    expect(fault.hits).toBe(3);
    expect(held.every((handle) => handle.isValid())).toBe(true);
    const released = sayNoSpace(3);
    await Promise.all(held.map((handle) => handle.release()));
    released.remove();
    for (const lock of locks) {
      await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 0, {
        what: `nobody to stand in the queue of ${lock}`,
      });
    }
  });

  it('is a candidacy that stands', async () => {
    const fault = sayNoSpace();
    const term = await a.elections.campaign('full');
    expect(fault.hits).toBe(1);
    expect(term.isValid()).toBe(true);
    expect(await candidatesOf(server.endpoint, 'full')).toEqual(['a']);
    await a.elections.leave('full');
    expect(await candidatesOf(server.endpoint, 'full')).toEqual([]);
  });

  it('is a version of a configuration', async () => {
    const { publisher, client } = await startPublisher(proxy.url);
    const name = freshName();
    const txn = client.txn.bind(client);
    let armed = true;
    client.txn = (request, settings) => {
      if (armed && isWrite(request)) sayNoSpace();
      if (isWrite(request)) armed = false;
      return txn(request, settings);
    };
    const set = await publisher.set(name, { most: 1 });
    expect(set.sequence).toBe(1);
    const [document] = await keysUnder(server.endpoint, sharedKey(name));
    expect(document?.value).toBe('{"most":1}');
    expect(await publisher.set(name, { most: 2 })).toMatchObject({ sequence: 2 });

    armed = true;
    client.txn = (request, settings) => {
      if (armed && isWrite(request)) proxy.fail('KV/Txn', NO_SPACE);
      if (isWrite(request)) armed = false;
      return txn(request, settings);
    };
    const refused = await failure(publisher.set(name, { most: 3 }));
    expect(refused).toBeInstanceOf(EtcdNoSpaceError);
  });
});
