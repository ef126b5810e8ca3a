import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  LeaseNotFoundError,
  RequestTooLargeError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import {
  InvalidTransactionError,
  NoSessionLeaseError,
  ReservedKeyError,
} from '../../../libs/etcd-coordination/src/transaction/transaction.errors.js';
import {
  WriteBatcherClosedError,
  WriteBatcherFullError,
} from '../../../libs/etcd-coordination/src/transaction/write-batcher.errors.js';
import { keysUnder, revokeLease } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { outcomes, startBatcher, valueAt, versionOf } from './batchers.js';
import { freshPrefix, NAMESPACE, standing } from './transactions.js';

const MIB = 2 ** 20;

describe.each(await serversUnderTest())('the write batcher, $name', ({ start }) => {
  let server: ServerUnderTest;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  it('sends what one turn asks for in transactions of at most 128 operations, each write with its revision', async () => {
    const { batcher, client } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const before = client.requestsSent;
    const names = Array.from({ length: 300 }, (_, n) => `${prefix}${n}`);
    const results = await Promise.all(names.map((name) => batcher.put(name, `of ${name}`)));
    expect(client.requestsSent - before).toBe(3);
    expect(new Set(results.map(({ revision }) => revision)).size).toBe(3);
    for (const n of [0, 126, 127, 299]) {
      const { revision } = results[n]!;
      expect(await valueAt(server.endpoint, names[n]!, revision)).toBe(`of ${names[n]}`);
      expect(await valueAt(server.endpoint, names[n]!, revision - 1n)).toBeNull();
    }
    expect(await standing(server.endpoint, prefix)).toEqual(
      Object.fromEntries(names.map((name) => [name, `of ${name}`])),
    );
    expect(batcher.stats).toMatchObject({ written: 300, pending: 0, transactions: 3, failed: 0 });
  });

  it('keeps the order of the writes of a key, deletions among them', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const key = `${freshPrefix()}key`;
    const values = Array.from({ length: 30 }, (_, n) => (n % 7 === 6 ? null : `${n}`));
    const results = await Promise.all(
      values.map((value, n) => {
        void batcher.put(`${key}/${n}`, 'beside');
        return value === null ? batcher.delete(key) : batcher.put(key, value);
      }),
    );
    for (const [n, { revision }] of results.entries()) {
      expect(await valueAt(server.endpoint, key, revision)).toBe(values[n]);
      if (n > 0) expect(revision).toBeGreaterThan(results[n - 1]!.revision);
    }
  });

  it('waits for the window, unless a transaction is full or somebody hurries it', async () => {
    const { batcher, client } = await startBatcher(server.endpoint, {
      windowMs: 60_000,
      maxOperations: 4,
    });
    const prefix = freshPrefix();
    const before = client.requestsSent;
    const first = [1, 2].map((n) => batcher.put(`${prefix}${n}`, 'x'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.requestsSent).toBe(before);
    // With the third it is full: one operation is the mark's.
    await Promise.all([...first, batcher.put(`${prefix}3`, 'x')]);
    expect(client.requestsSent).toBe(before + 1);
    const last = batcher.put(`${prefix}4`, 'x');
    const again = batcher.put(`${prefix}4`, 'y');
    await batcher.flush();
    expect((await again).revision).toBeGreaterThan((await last).revision);
    expect(await standing(server.endpoint, `${prefix}4`)).toEqual({ [`${prefix}4`]: 'y' });
  });

  it('lets each write that etcd refuses fail alone, and names it', async () => {
    const { batcher, client, session } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const writes = Array.from({ length: 60 }, (_, n) =>
      batcher.put(`${prefix}${n}`, 'x', n === 17 || n === 42 ? { lease: '4711' } : {}),
    );
    const told = await outcomes(writes);
    for (const n of [17, 42]) {
      expect(told[n]).toBeInstanceOf(LeaseNotFoundError);
      expect((told[n] as Error).message).toContain(`"${prefix}${n}"`);
    }
    expect(told.filter((one) => one instanceof Error)).toHaveLength(2);
    expect(Object.keys(await standing(server.endpoint, prefix))).toHaveLength(58);
    expect(session.lease).not.toBeNull();
    expect(client.isClosed).toBe(false);
    expect(batcher.stats).toMatchObject({ written: 58, failed: 2, pending: 0 });
  });

  it('sends a write beyond what etcd takes alone, and it fails alone', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const told = await outcomes([
      batcher.put(`${prefix}a`, 'x'),
      batcher.put(`${prefix}large`, Buffer.alloc(1.6 * MIB)),
      batcher.put(`${prefix}larger`, Buffer.alloc(2.2 * MIB)),
      batcher.put(`${prefix}b`, 'x'),
    ]);
    expect(told[1]).toBeInstanceOf(RequestTooLargeError);
    expect(told[2]).toBeInstanceOf(RequestTooLargeError);
    expect((told[1] as Error).message).toContain(`"${prefix}large"`);
    const keys = await keysUnder(server.endpoint, `${NAMESPACE}/${prefix}`);
    expect(keys.map(({ key }) => key.slice(-1)).sort()).toEqual(['a', 'b']);
  });

  it('fills transactions up to 1.5 MiB, and etcd takes them', async () => {
    const { batcher } = await startBatcher(server.endpoint, { maxBytes: 1.5 * MIB });
    const prefix = freshPrefix();
    const sizes = Array.from({ length: 40 }, (_, n) => 90_000 + n * 997);
    // The largest that goes with nothing else.
    sizes.push(1.5 * MIB - 1024 - 48 - NAMESPACE.length - prefix.length - 10);
    const writes = sizes.map((size, n) => batcher.put(`${prefix}${n}`, Buffer.alloc(size)));
    await Promise.all(writes);
    expect(batcher.stats).toMatchObject({ takenApart: 0, failed: 0 });
    expect(batcher.stats.transactions).toBeLessThan(10);
  });

  it('puts keys on leases: of the session, and of others', async () => {
    const { batcher, client, session } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    await client.leaseGrant('4721', 100);
    await Promise.all([
      batcher.put(`${prefix}own`, 'x', { lease: 'session' }),
      batcher.put(`${prefix}other`, 'x', { lease: '4721' }),
      batcher.put(`${prefix}none`, 'x'),
    ]);
    const keys = await keysUnder(server.endpoint, `${NAMESPACE}/${prefix}`);
    const leases = Object.fromEntries(keys.map(({ key, lease }) => [key.split('/').at(-1), lease]));
    expect(leases).toEqual({ own: session.lease!.id, other: '4721', none: '0' });
  });

  it('lets nobody wait for a lease of the session but those on it, which keep their order', async () => {
    const { batcher, session } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const lost = session.lease!;
    await revokeLease(server.endpoint, lost.id);
    session.reportGone(lost);
    expect(session.lease).toBeNull();
    const onLease = batcher.put(`${prefix}key`, 'on the lease', { lease: 'session' });
    const behind = batcher.put(`${prefix}key`, 'on none');
    await batcher.put(`${prefix}other`, 'x');
    expect((await behind).revision).toBeGreaterThan((await onLease).revision);
  });

  it('gathers those that wait for a lease, and withdraws them too', async () => {
    const { batcher, session } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const lost = session.lease!;
    await revokeLease(server.endpoint, lost.id);
    session.reportGone(lost);
    const withdrawn = new AbortController();
    const names = Array.from({ length: 40 }, (_, n) => `${prefix}${n}`);
    const writes = outcomes(
      names.map((name, n) => {
        const signal = n === 7 ? { signal: withdrawn.signal } : {};
        return batcher.put(name, 'x', { lease: 'session', ...signal });
      }),
    );
    const reason = new Error('the test withdraws it');
    withdrawn.abort(reason);
    const told = await writes;
    expect(told.filter((one) => one instanceof Error)).toEqual([reason]);
    expect(batcher.stats).toMatchObject({ transactions: 1, written: 39, pending: 0 });
    const keys = await keysUnder(server.endpoint, `${NAMESPACE}/${prefix}`);
    expect(keys.filter(({ lease }) => lease === session.lease!.id)).toHaveLength(39);
  });

  it('lets those on the lease of a session that has ended fail at once', async () => {
    const { batcher, session } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    await session.close();
    const told = await outcomes([
      batcher.put(`${prefix}a`, 'x', { lease: 'session' }),
      batcher.put(`${prefix}b`, 'x', { lease: 'session' }),
      batcher.put(`${prefix}a`, 'y', { lease: 'session' }),
      batcher.put(`${prefix}c`, 'x'),
    ]);
    for (const one of told.slice(0, 3)) expect(one).toBeInstanceOf(NoSessionLeaseError);
    expect(told[3]).toHaveProperty('revision');
    expect(batcher.stats).toMatchObject({ failed: 3, pending: 0 });
  });

  it('gathers small writes however few bytes a transaction is to have', async () => {
    const { batcher } = await startBatcher(server.endpoint, { maxBytes: 1024 });
    const prefix = freshPrefix();
    await Promise.all([1, 2, 3, 4].map((n) => batcher.put(`${prefix}${n}`, 'x')));
    expect(batcher.stats.transactions).toBe(1);
  });

  it('sends what those ask for who were answered together, with what had waited behind their writes', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const again = async (name: string) => {
      await batcher.put(`${prefix}${name}`, 'first');
      await batcher.put(`${prefix}${name}`, 'second');
    };
    // The second write of `a` waits behind its first one; of the others, nobody has asked for the second yet.
    await Promise.all([
      batcher.put(`${prefix}a`, 'first'),
      batcher.put(`${prefix}a`, 'second'),
      again('b'),
      again('c'),
    ]);
    expect(batcher.stats).toMatchObject({ written: 6, transactions: 2 });
  });

  it('refuses what makes no sense before anything is sent', async () => {
    const { batcher, client } = await startBatcher(server.endpoint);
    const before = client.requestsSent;
    const bad = (given: unknown) => given as never;
    const told = await outcomes<unknown>([
      batcher.put('', 'x'),
      batcher.put(bad(7), 'x'),
      batcher.put('app/x', bad(undefined)),
      batcher.put('app/x', 'x', { lease: bad(12) }),
      batcher.put('app/x', 'x', { signal: bad({}) }),
      batcher.put('app/x', 'x', bad('session')),
      batcher.delete(bad(null)),
      batcher.get(''),
      batcher.put('lock/x', 'x'),
      batcher.delete('election/x'),
    ]);
    for (const one of told.slice(0, 8)) expect(one).toBeInstanceOf(InvalidTransactionError);
    for (const one of told.slice(8)) expect(one).toBeInstanceOf(ReservedKeyError);
    expect(client.requestsSent).toBe(before);
    expect(batcher.stats).toMatchObject({ pending: 0, pendingBytes: 0 });
  });

  it('refuses more than it is to hold, by number and by bytes', async () => {
    const { batcher } = await startBatcher(server.endpoint, {
      maxPending: 3,
      maxPendingBytes: 3000,
    });
    const prefix = freshPrefix();
    const writes = [1, 2, 3, 4].map((n) => batcher.put(`${prefix}${n}`, 'x'));
    const reads = outcomes([1, 2, 3, 4].map((n) => batcher.get(`${prefix}${n}`)));
    const [, , , fourth] = await outcomes(writes);
    expect(fourth).toBeInstanceOf(WriteBatcherFullError);
    expect(fourth).toMatchObject({ statusCode: 503, key: `${prefix}4` });
    expect((await reads).filter((one) => one instanceof WriteBatcherFullError)).toEqual([
      expect.objectContaining({ key: `${prefix}4` }),
    ]);
    expect(batcher.stats).toMatchObject({ pending: 0, pendingBytes: 0 });
    const large = await outcomes([1, 2].map((n) => batcher.put(prefix + n, Buffer.alloc(2000))));
    expect(large[0]).toHaveProperty('revision');
    expect(large[1]).toBeInstanceOf(WriteBatcherFullError);
    await batcher.put(`${prefix}4`, 'x');
  });

  it('withdraws what is not sent yet, and nothing else', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const [before, behind, sent] = [1, 2, 3].map(() => new AbortController());
    const reason = new Error('the test withdraws it');
    before!.abort(reason);
    await expect(batcher.put(`${prefix}key`, '0', { signal: before!.signal })).rejects.toBe(reason);
    const first = batcher.put(`${prefix}key`, '1', { signal: sent!.signal });
    const second = batcher.put(`${prefix}key`, '2', { signal: behind!.signal });
    const third = batcher.put(`${prefix}key`, '3');
    await new Promise((resolve) => process.nextTick(resolve));
    sent!.abort(reason);
    behind!.abort(reason);
    await expect(second).rejects.toBe(reason);
    expect((await third).revision).toBeGreaterThan((await first).revision);
    expect(await versionOf(server.endpoint, `${prefix}key`)).toBe(2);
    expect(batcher.stats).toMatchObject({ written: 2, failed: 1, pending: 0, pendingBytes: 0 });
  });

  it('writes everything it has accepted when it is closed, and accepts nothing more', async () => {
    const { batcher, client } = await startBatcher(server.endpoint, { windowMs: 60_000 });
    const prefix = freshPrefix();
    const names = Array.from({ length: 500 }, (_, n) => `${prefix}${n % 200}`);
    const writes = names.map((name, n) => batcher.put(name, `${n}`));
    const read = batcher.get(`${prefix}0`);
    const closed = batcher.close();
    const late = outcomes<unknown>([batcher.put(`${prefix}late`, 'x'), batcher.get(prefix)]);
    await closed;
    for (const one of await late) expect(one).toBeInstanceOf(WriteBatcherClosedError);
    const sent = client.requestsSent;
    await Promise.all([...writes, read]);
    expect(client.requestsSent).toBe(sent);
    const found = await standing(server.endpoint, prefix);
    expect(found).toEqual(Object.fromEntries(names.map((name, n) => [name, `${n}`])));
  });

  it('leaves no mark behind if it has no session', async () => {
    const { client } = await startBatcher(server.endpoint);
    const { WriteBatcher } =
      await import('../../../libs/etcd-coordination/src/transaction/write-batcher.js');
    const batcher = new WriteBatcher({ client, namespace: `${NAMESPACE}-alone` });
    await batcher.put('app/x', 'x');
    const marks = () => keysUnder(server.endpoint, `${NAMESPACE}-alone/transaction/`);
    await waitFor(async () => (await marks()).length === 1, { what: 'the mark' });
    await batcher.close();
    expect(await marks()).toEqual([]);
  });
});
