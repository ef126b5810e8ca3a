import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RequestTooLargeError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { putKey } from '../../support/etcd-admin.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshPrefix, NAMESPACE, standing, startTransactions } from './transactions.js';

describe.each(await serversUnderTest())(
  'compare-and-set, update and batches, $name',
  ({ start }) => {
    let server: ServerUnderTest;

    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.stop());

    it('writes what is as expected, and tells what is there otherwise', async () => {
      const { transactions } = await startTransactions(server.endpoint);
      const key = `${freshPrefix()}key`;
      expect(await transactions.compareAndSet(key, 'old', 'new')).toMatchObject({
        succeeded: false,
        current: null,
      });
      expect(await transactions.compareAndSet(key, 0n, 'one')).toMatchObject({ succeeded: true });
      const absent = await transactions.compareAndSet(key, null, 'two');
      expect(absent).toMatchObject({ succeeded: false });
      const { current } = absent as { current: { text(): string; revision: bigint } };
      expect(current.text()).toBe('one');
      expect(await transactions.compareAndSet(key, 'one', Buffer.from('two'))).toMatchObject({
        succeeded: true,
      });
      // The revision that was read has passed.
      expect(await transactions.compareAndSet(key, current.revision, 'x')).toMatchObject({
        succeeded: false,
      });
      expect(await transactions.compareAndSet(key, current as never, 'x')).toMatchObject({
        succeeded: false,
      });
      const result = await transactions.compareAndSet(key, Buffer.from('two'), 'three');
      expect(await transactions.compareAndSet(key, result.revision, null)).toMatchObject({
        succeeded: true,
      });
      expect(await standing(server.endpoint, key)).toEqual({});
      expect(await transactions.compareAndSet(key, '', 'an empty value is none')).toMatchObject({
        succeeded: false,
      });
    });

    it('updates one key, or several at once, or none', async () => {
      const { transactions } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      const [a, b, c] = ['a', 'b', 'c'].map((name) => prefix + name) as [string, string, string];
      expect(await transactions.update(a, (value) => (value ? 'again' : 'first'))).toMatchObject({
        changed: true,
        attempts: 1,
      });
      expect(await transactions.update(a, () => undefined)).toEqual({
        changed: false,
        revision: null,
        attempts: 1,
      });
      await transactions.update([a, b, c], (now) => {
        expect(now.get(a)!.text()).toBe('first');
        expect(now.get(b)).toBeNull();
        return { [b]: 'moved', [a]: null };
      });
      expect(await standing(server.endpoint, prefix)).toEqual({ [b]: 'moved' });
      await transactions.update([b, c], async (now) => new Map([[c, now.get(b)!.text()]]));
      await transactions.update(b, () => Promise.resolve(null));
      expect(await standing(server.endpoint, prefix)).toEqual({ [c]: 'moved' });
    });

    it('calls the function of an update again with what another wrote meanwhile', async () => {
      const { transactions } = await startTransactions(server.endpoint);
      const key = `${freshPrefix()}key`;
      const seen: (string | undefined)[] = [];
      const { attempts } = await transactions.update(key, async (current) => {
        seen.push(current?.text());
        if (seen.length <= 2)
          await putKey(server.endpoint, `${NAMESPACE}/${key}`, `${seen.length}`);
        return `${current?.text()} and mine`;
      });
      expect(seen).toEqual([undefined, '1', '2']);
      expect(attempts).toBe(3);
      expect(await standing(server.endpoint, key)).toEqual({ [key]: '2 and mine' });
    });

    it('commits a batch as a whole or not at all, once', async () => {
      const { transactions, client } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      const [a, b] = [`${prefix}a`, `${prefix}b`];
      const batch = transactions.batch().expect(a, null).put(a, '1').put(b, '1').delete(b);
      const before = client.requestsSent;
      expect(await Promise.resolve(batch)).toBe(batch);
      expect(client.requestsSent).toBe(before);
      expect(await batch.commit()).toMatchObject({ succeeded: true });
      expect(client.requestsSent).toBe(before + 1);
      await expect(batch.commit()).rejects.toMatchObject({ code: 'INVALID_TRANSACTION' });
      expect(() => batch.put(a, '2')).toThrow(/committed once/);
      expect(await standing(server.endpoint, prefix)).toEqual({ [a]: '1' });
      const failed = await transactions
        .batch()
        .expect(a, '2')
        .expect(b, null)
        .delete(a)
        .put(b, '2')
        .commit();
      expect(failed.succeeded).toBe(false);
      const { unmet } = failed as { unmet: ReadonlyMap<string, { text(): string }> };
      expect([...unmet].map(([key, value]) => [key, value.text()])).toEqual([[a, '1']]);
      expect(await standing(server.endpoint, prefix)).toEqual({ [a]: '1' });
      expect(await transactions.batch().expect(a, '1').commit()).toMatchObject({ succeeded: true });
    });

    it('puts keys on the lease of the session, and of others', async () => {
      const { transactions, session, client } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      await transactions.compareAndSet(`${prefix}own`, null, 'x', { lease: 'session' });
      await transactions.stm((t) => t.put(`${prefix}stm`, 'x', { lease: 'session' }));
      await transactions.update(`${prefix}update`, () => 'x', { lease: session.lease!.id });
      await transactions.update(`${prefix}none`, () => 'x');
      await client.leaseGrant('4711', 100);
      await transactions.batch().put(`${prefix}other`, 'x', { lease: '4711' }).commit();
      expect(Object.keys(await standing(server.endpoint, prefix))).toHaveLength(5);
      await session.close();
      expect(Object.keys(await standing(server.endpoint, prefix))).toEqual([
        `${prefix}none`,
        `${prefix}other`,
      ]);
      await client.leaseRevoke('4711');
      expect(Object.keys(await standing(server.endpoint, prefix))).toEqual([`${prefix}none`]);
    });

    it('refuses a lease that is not there, and leaves that of the session alone', async () => {
      const { transactions, session } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      const batch = transactions.batch().put(`${prefix}a`, 'x', { lease: '4712' });
      await expect(batch.commit()).rejects.toMatchObject({ code: 'LEASE_NOT_FOUND' });
      expect(session.lease).not.toBeNull();
      expect(await standing(server.endpoint, prefix)).toEqual({});
      await transactions.batch().put(`${prefix}a`, 'x').commit();
    });

    it('goes on when the lease of its marks was revoked, or its marks were deleted', async () => {
      const { transactions, session, client } = await startTransactions(server.endpoint);
      const key = `${freshPrefix()}key`;
      const increment = () => transactions.update(key, (now) => `${Number(now?.text() ?? 0) + 1}`);
      await increment();
      await client.leaseRevoke(session.lease!.id);
      await increment();
      await client.txn({
        success: [
          {
            request_delete_range: {
              key: Buffer.from(`${NAMESPACE}/transaction/`),
              range_end: Buffer.from(`${NAMESPACE}/transaction0`),
            },
          },
        ],
      });
      await increment();
      await increment();
      expect(await standing(server.endpoint, key)).toEqual({ [key]: '4' });
    });

    it('says that a value is too large, and writes nothing', async () => {
      const { transactions } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      for (const bytes of [1.5 * 1024 * 1024, 2.1 * 1024 * 1024]) {
        const value = Buffer.alloc(bytes);
        const write = transactions.compareAndSet(`${prefix}large`, null, value);
        await expect(write).rejects.toBeInstanceOf(RequestTooLargeError);
      }
      const [half, one] = [Buffer.alloc(800_000), Buffer.alloc(800_000)];
      const both = transactions.batch().put(`${prefix}a`, half).put(`${prefix}b`, one).commit();
      await expect(both).rejects.toBeInstanceOf(RequestTooLargeError);
      expect(await standing(server.endpoint, prefix)).toEqual({});
    });

    it('takes 128 operations and no more, and says so before it sends anything', async () => {
      const { transactions, client } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      const putMany = (count: number) =>
        transactions.stm((t) => {
          for (let n = 0; n < count; n++) t.put(`${prefix}${n}`, 'x');
        });
      for (const count of [127, 128]) {
        await putMany(count);
        expect(Object.keys(await standing(server.endpoint, prefix))).toHaveLength(count);
      }
      const before = client.requestsSent;
      await expect(putMany(129)).rejects.toMatchObject({
        code: 'TRANSACTION_TOO_LARGE',
        written: 129,
        limit: 128,
      });
      const batch = transactions.batch();
      for (let n = 0; n < 129; n++) batch.expect(`${prefix}${n}`, 'x');
      await expect(batch.delete(`${prefix}0`).commit()).rejects.toMatchObject({
        code: 'TRANSACTION_TOO_LARGE',
        compared: 129,
      });
      expect(client.requestsSent).toBe(before);
      // All are read, and the range must not have changed: 129 comparisons.
      const rewritten = transactions.stm(async (t) => {
        for (const { key } of await t.range(prefix)) t.put(key, 'y');
      });
      await expect(rewritten).rejects.toMatchObject({ compared: 129, written: 128 });
      expect(new Set(Object.values(await standing(server.endpoint, prefix)))).toEqual(
        new Set(['x']),
      );
      // Reading alone has no such limit.
      expect(await transactions.stm(async (t) => (await t.range(prefix)).length)).toBe(128);
    });

    it('refuses what makes no sense, and sends nothing', async () => {
      const { transactions, client } = await startTransactions(server.endpoint);
      const before = client.requestsSent;
      const t = transactions as any;
      const invalid = [
        ...['', 7, null, undefined, {}, '\ud800'].flatMap((key) => [
          () => t.compareAndSet(key, null, 'x'),
          () => t.update(key, () => 'x'),
          () => t.stm((s: any) => s.put(key, 'x')),
          () => t.stm((s: any) => s.delete(key)),
          () => t.stm((s: any) => s.get(key)),
          () => t.stm((s: any) => s.range(key)),
          async () => t.batch().put(key, 'x'),
        ]),
        ...[7, undefined, {}, ['x'], true].map(
          (value) => () => t.compareAndSet('app/a', null, value),
        ),
        ...[7, undefined, {}, true, -1n, 2n ** 63n].map(
          (expected) => () => t.compareAndSet('app/a', expected, 'x'),
        ),
        ...[-1, '', 'own', '0', '9'.repeat(20), null].map(
          (lease) => () => t.compareAndSet('app/a', null, 'x', { lease }),
        ),
        () => t.compareAndSet('app/a', null, 'x', 7),
        () => t.stm('work'),
        () => t.update('app/a'),
        ...[0, -1, NaN, 1.5, '3', Infinity].map(
          (maxAttempts) => () => t.stm(() => 1, { maxAttempts }),
        ),
        () => t.stm(() => 1, { isolation: 'snapshot' }),
        () => t.stm(() => 1, { signal: {} }),
        () => t.stm(() => 1, null),
        ...[0, -1, NaN].map((limit) => () => t.stm((s: any) => s.range('app/', { limit }))),
        () => t.batch().commit(),
        async () => t.fenced(7),
        async () => t.fenced({ resource: 'x', token: 1n, revision: 1n }),
        async () => t.fenced([{ resource: 'x', token: 1n, revision: 0n, key: 'x' }]),
      ];
      for (const call of invalid) {
        await expect(call()).rejects.toMatchObject({ code: 'INVALID_TRANSACTION' });
      }
      for (const feature of ['lock', 'election', 'fence', 'config', 'registry', 'transaction']) {
        const key = `${feature}/a`;
        await expect(transactions.compareAndSet(key, null, 'x')).rejects.toMatchObject({
          code: 'RESERVED_KEY',
          key,
        });
        expect(() => transactions.batch().delete(key)).toThrow(feature);
      }
      await expect(async () => transactions.fenced()).rejects.toMatchObject({ code: 'NO_FENCE' });
      await expect(async () => transactions.fenced([])).rejects.toMatchObject({ code: 'NO_FENCE' });
      expect(client.requestsSent).toBe(before);
      // What only begins like a feature is the user's own.
      expect(await transactions.compareAndSet('locks/a', null, 'x')).toMatchObject({
        succeeded: true,
      });
    });
  },
);
