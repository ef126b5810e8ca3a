import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { LockLostError } from '../../../libs/etcd-coordination/src/lock/lock.errors.js';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { compact, deleteKey, putKey, revokeLease } from '../../support/etcd-admin.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { Instance } from '../election/instance.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { queueOf, queuePrefix } from './lock-keys.js';

const servers = await serversUnderTest();

describeAtOnce(servers, 'a lock that is lost', ({ start }) => {
  let server: ServerUnderTest;
  let b: Instance;
  let round = 0;
  let lock: string;

  beforeAll(async () => {
    server = await start();
    b = await Instance.start('b', server.endpoint);
  });
  beforeEach(() => {
    lock = `lost-${(round += 1)}`;
  });
  afterEach(async () => {
    await waitFor(async () => (await queueOf(server.endpoint, lock)).length === 0, {
      what: 'nobody to stand in the queue',
    });
  });
  afterAll(async () => {
    await b?.close();
    await server?.stop();
  });

  function queued(count: number): Promise<unknown> {
    return waitFor(async () => (await queueOf(server.endpoint, lock)).length === count, {
      what: `${count} to stand in the queue`,
    });
  }

  it('is lost here before anybody else has it, when etcd cannot be reached', async () => {
    const proxy = await TcpProxy.start({ target: server.endpoint });
    const a = await Instance.start('a', proxy.url, { ttlSeconds: 2 });
    let lostAt = 0;
    const work = a.locks.using(lock, async (held) => {
      await new Promise((resolve) => held.signal.addEventListener('abort', resolve));
      lostAt = performance.now();
      expect(held.isValid()).toBe(false);
      throw new Error('the work noticed');
    });
    work.catch(() => undefined);
    await queued(1);
    const next = b.locks.acquire(lock).then((held) => ({ held, at: performance.now() }));
    await queued(2);
    proxy.blackhole();
    const { held, at } = await next;
    expect(lostAt).toBeGreaterThan(0);
    expect(lostAt).toBeLessThan(at);
    await expect(work).rejects.toThrow(LockLostError);
    await expect(work).rejects.toMatchObject({
      reason: 'session-lost',
      cause: new Error('the work noticed'),
    });
    await proxy.pass();
    await held.release();
    const again = await a.locks.acquire(lock);
    expect(again.token > held.token).toBe(true);
    await again.release();
    await a.close();
    await proxy.close();
  });

  it('is lost when its lease is revoked, and waited for anew by those who waited on it', async () => {
    const a = await Instance.start('a', server.endpoint);
    const held = await b.locks.acquire(lock);
    const waits = a.locks.acquire(lock);
    await queued(2);
    await revokeLease(server.endpoint, a.session.lease!.id);
    await queued(1);
    await queued(2);
    await held.release();
    const got = await waits;
    await revokeLease(server.endpoint, a.session.lease!.id);
    await waitFor(() => got.signal.aborted, { what: 'the loss' });
    expect(got.signal.reason).toMatchObject({ code: 'LOCK_LOST', key: lock, token: got.token });
    await got.release();
    await a.close();
  });

  it('is lost when somebody deletes its key while others wait', async () => {
    const a = await Instance.start('a', server.endpoint);
    const held = await a.locks.acquire(lock);
    const own = a.locks.acquire(lock);
    const next = b.locks.acquire(lock);
    await queued(2);
    await deleteKey(server.endpoint, held.fence.key);
    const got = await next;
    await waitFor(() => held.signal.aborted, { what: 'the loss' });
    expect(held.signal.reason).toMatchObject({ reason: 'key-deleted' });
    await held.release();
    expect(got.isValid()).toBe(true);
    await got.release();
    await (await own).release();
    await a.close();
  });

  it('is lost when somebody deletes its key while nobody waits, within some seconds', async () => {
    const a = await Instance.start('a', server.endpoint);
    const held = await a.locks.acquire(lock);
    await deleteKey(server.endpoint, held.fence.key);
    await waitFor(() => held.signal.aborted, { what: 'the loss', timeoutMs: 15_000 });
    expect(held.signal.reason).toMatchObject({ reason: 'key-deleted' });
    await a.close();
  });

  it('is waited for anew when the key of one who waits is deleted', async () => {
    const held = await b.locks.acquire(lock);
    const a = await Instance.start('a', server.endpoint);
    const waits = a.locks.acquire(lock);
    await queued(2);
    const waiting = `${queuePrefix(lock)}${a.leaseHex}-0-w`;
    expect(await deleteKey(server.endpoint, waiting)).toBe(true);
    await held.release();
    const got = await waits;
    expect(got.isValid()).toBe(true);
    await got.release();
    await a.close();
  });

  it('is not held up for ever by a key that somebody has put over', async () => {
    const a = await Instance.start('a', server.endpoint);
    const held = await a.locks.acquire(lock);
    const next = b.locks.acquire(lock);
    await queued(2);
    await putKey(server.endpoint, held.fence.key, 'by hand');
    const got = await next;
    await waitFor(() => held.signal.aborted, { what: 'the loss', timeoutMs: 15_000 });
    await got.release();
    await a.close();
  });

  it('stands though its history is compacted and strangers put keys beside it', async () => {
    const a = await Instance.start('a', server.endpoint);
    const held = await a.locks.acquire(lock);
    const next = b.locks.acquire(lock);
    await queued(2);
    await putKey(server.endpoint, `${queuePrefix(lock)}README`, 'by hand');
    await compact(server.endpoint);
    expect(held.isValid()).toBe(true);
    await held.release();
    await (await next).release();
    await deleteKey(server.endpoint, `${queuePrefix(lock)}README`);
    await a.close();
  });
});
