import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TransactionIsolation } from '../../../libs/etcd-coordination/src/transaction/transaction-options.js';
import type { Transaction } from '../../../libs/etcd-coordination/src/transaction/transaction.js';
import { compact, deleteKey, putKey } from '../../support/etcd-admin.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshPrefix, NAMESPACE, standing, startTransactions } from './transactions.js';

const ALL = [
  'serializable-snapshot',
  'serializable',
  'repeatable-reads',
  'read-committed',
] as const satisfies TransactionIsolation[];

describe.each(await serversUnderTest())('stm, $name', ({ start }) => {
  let server: ServerUnderTest;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const put = (key: string, value: string) => putKey(server.endpoint, `${NAMESPACE}/${key}`, value);
  const remove = (key: string) => deleteKey(server.endpoint, `${NAMESPACE}/${key}`);

  /** Runs a transaction in which others meddle the first time, and tells how often it ran. */
  async function meddledWith(
    isolation: TransactionIsolation,
    work: (t: Transaction, meddle: (how: () => Promise<unknown>) => Promise<void>) => unknown,
  ): Promise<number> {
    const { transactions } = await startTransactions(server.endpoint);
    let runs = 0;
    await transactions.stm(
      async (t) => {
        runs += 1;
        await work(t, async (how) => void (runs === 1 && (await how())));
      },
      { isolation },
    );
    return runs;
  }

  /** How often it ran, by isolation. */
  async function runsOf(
    work: (
      prefix: string,
    ) => (t: Transaction, meddle: (how: () => Promise<unknown>) => Promise<void>) => unknown,
  ): Promise<Record<string, number>> {
    const runs: Record<string, number> = {};
    for (const isolation of ALL) {
      const prefix = freshPrefix();
      for (const name of ['a', 'b', 'c']) await put(`${prefix}${name}`, 'old');
      runs[isolation] = await meddledWith(isolation, work(prefix));
    }
    return runs;
  }

  it('a key that was read and changed is a conflict, but for read committed', async () => {
    const runs = await runsOf((prefix) => async (t, meddle) => {
      await t.get(`${prefix}a`);
      await meddle(() => put(`${prefix}a`, 'new'));
      t.put(`${prefix}c`, 'written');
    });
    expect(runs).toEqual({
      'serializable-snapshot': 2,
      serializable: 2,
      'repeatable-reads': 2,
      'read-committed': 1,
    });
  });

  it('a key that is written unread and changed is a conflict for the snapshot alone', async () => {
    const runs = await runsOf((prefix) => async (t, meddle) => {
      await t.get(`${prefix}a`);
      await meddle(() => put(`${prefix}b`, 'new'));
      t.put(`${prefix}b`, 'written');
    });
    expect(runs).toEqual({
      'serializable-snapshot': 2,
      serializable: 1,
      'repeatable-reads': 1,
      'read-committed': 1,
    });
  });

  it('later reads are as of the first, or the newest, as the isolation has it', async () => {
    const seen: Record<string, string[]> = {};
    for (const isolation of ALL) {
      const prefix = freshPrefix();
      await put(`${prefix}a`, 'old');
      await put(`${prefix}b`, 'old');
      const reads: string[] = (seen[isolation] = []);
      await meddledWith(isolation, async (t, meddle) => {
        await t.get(`${prefix}a`);
        await meddle(() => put(`${prefix}b`, 'new'));
        reads.push((await t.get(`${prefix}b`))!.text());
        await meddle(() => put(`${prefix}b`, 'newer'));
        // What was read once stays as it was read.
        reads.push((await t.get(`${prefix}b`))!.text());
      });
    }
    expect(seen).toEqual({
      'serializable-snapshot': ['old', 'old'],
      serializable: ['old', 'old'],
      // The second read was of another moment, and did not hold until the commit.
      'repeatable-reads': ['new', 'new', 'newer', 'newer'],
      'read-committed': ['new', 'new'],
    });
  });

  it('no write skew: of two that each read what the other writes, one runs again', async () => {
    for (const isolation of ALL.slice(0, 3)) {
      const { transactions } = await startTransactions(server.endpoint);
      const { transactions: other } = await startTransactions(server.endpoint);
      const prefix = freshPrefix();
      // Two on call, and each wants to leave if the other stays.
      await put(`${prefix}a`, 'on');
      await put(`${prefix}b`, 'on');
      let arrived = 0;
      let both!: () => void;
      const meet = new Promise<void>((resolve) => (both = resolve));
      const leave = (who: typeof transactions, own: string, their: string) =>
        who.stm(
          async (t) => {
            const stays = (await t.get(prefix + their))!.text() === 'on';
            if ((arrived += 1) === 2) both();
            await meet;
            if (stays) t.put(prefix + own, 'off');
          },
          { isolation },
        );
      await Promise.all([leave(transactions, 'a', 'b'), leave(other, 'b', 'a')]);
      const stayed = Object.values(await standing(server.endpoint, prefix));
      expect(stayed.filter((state) => state === 'on')).toHaveLength(1);
    }
  });

  it('catches phantoms: keys added to, changed in and deleted from a range', async () => {
    const meddlers = {
      added: (prefix: string) => put(`${prefix}bb`, 'new'),
      first: (prefix: string) => put(`${prefix}0`, 'new'),
      last: (prefix: string) => put(`${prefix}z`, 'new'),
      changed: (prefix: string) => put(`${prefix}b`, 'new'),
      deleted: (prefix: string) => remove(`${prefix}b`),
      beside: (prefix: string) => put(`${prefix.slice(0, -1)}0`, 'new'),
    };
    const runs: Record<string, number[]> = {};
    for (const [name, how] of Object.entries(meddlers)) {
      runs[name] = Object.values(
        await runsOf((prefix) => async (t, meddle) => {
          const before = await t.range(prefix);
          await meddle(() => how(prefix));
          t.put(`${prefix}sum`, `${before.length}`);
        }),
      );
    }
    expect(runs).toEqual({
      added: [2, 2, 2, 1],
      first: [2, 2, 2, 1],
      last: [2, 2, 2, 1],
      changed: [2, 2, 2, 1],
      deleted: [2, 2, 2, 1],
      beside: [1, 1, 1, 1],
    });
  });

  it('catches a phantom in a range that was empty', async () => {
    const runs = await runsOf((prefix) => async (t, meddle) => {
      expect(await t.range(`${prefix}none/`)).toHaveLength(
        0 + Number((await t.get(`${prefix}n`)) !== null),
      );
      await meddle(async () => {
        await put(`${prefix}none/1`, 'new');
        await put(`${prefix}n`, 'there');
      });
      t.put(`${prefix}sum`, 'x');
    });
    expect(Object.values(runs)).toEqual([2, 2, 2, 1]);
  });

  it('lets what lies beyond the limit of a range change', async () => {
    const runs = await runsOf((prefix) => async (t, meddle) => {
      expect((await t.range(prefix, { limit: 2 })).map(({ key }) => key)).toEqual([
        `${prefix}a`,
        `${prefix}b`,
      ]);
      await meddle(() => put(`${prefix}c`, 'new'));
      t.put(`${prefix}d`, 'x');
    });
    expect(Object.values(runs)).toEqual([1, 1, 1, 1]);
    const within = await runsOf((prefix) => async (t, meddle) => {
      await t.range(prefix, { limit: 2 });
      await meddle(() => put(`${prefix}ab`, 'new'));
      t.put(`${prefix}d`, 'x');
    });
    expect(Object.values(within)).toEqual([2, 2, 2, 1]);
  });

  it('reads its own writes, in ranges as well', async () => {
    const { transactions } = await startTransactions(server.endpoint);
    const prefix = freshPrefix();
    for (const name of ['a', 'b', 'c', 'd']) await put(prefix + name, name);
    await transactions.stm(async (t) => {
      t.put(`${prefix}bb`, 'own');
      t.delete(`${prefix}a`);
      t.put(`${prefix}c`, Buffer.from('{"n":1}'));
      t.put(`${prefix}e`, 'last');
      expect(await t.get(`${prefix}a`)).toBeNull();
      const c = (await t.get(`${prefix}c`))!;
      expect([c.text(), c.json(), c.revision]).toEqual(['{"n":1}', { n: 1 }, 0n]);
      const names = async (limit?: number) =>
        (await t.range(prefix, limit === undefined ? {} : { limit })).map(({ key }) =>
          key.slice(prefix.length),
        );
      expect(await names()).toEqual(['b', 'bb', 'c', 'd', 'e']);
      expect(await names(2)).toEqual(['b', 'bb']);
      expect(await names(3)).toEqual(['b', 'bb', 'c']);
      t.delete(`${prefix}bb`);
      expect(await names(2)).toEqual(['b', 'c']);
    });
    expect(await standing(server.endpoint, prefix)).toEqual({
      [`${prefix}b`]: 'b',
      [`${prefix}c`]: '{"n":1}',
      [`${prefix}d`]: 'd',
      [`${prefix}e`]: 'last',
    });
  });

  it('makes one call for reads that are asked for together, and none to commit reads', async () => {
    const { transactions, client } = await startTransactions(server.endpoint);
    const prefix = freshPrefix();
    await put(`${prefix}a`, '1');
    for (const [isolation, commits] of [
      ['serializable-snapshot', 0],
      ['serializable', 0],
      ['repeatable-reads', 1],
      ['read-committed', 0],
    ] as const) {
      const before = client.requestsSent;
      const [a, b, all] = await transactions.stm(
        (t) => Promise.all([t.get(`${prefix}a`), t.get(`${prefix}b`), t.range(prefix)] as const),
        { isolation },
      );
      expect([a!.text(), b, all.length]).toEqual(['1', null, 1]);
      expect(client.requestsSent - before).toBe(1 + commits);
    }
    const before = client.requestsSent;
    expect(await transactions.stm(() => 'nothing')).toBe('nothing');
    expect(client.requestsSent).toBe(before);
  });

  it('starts anew when its snapshot was compacted', async () => {
    const prefix = freshPrefix();
    await put(`${prefix}a`, 'old');
    const runs = await meddledWith('serializable', async (t, meddle) => {
      await t.get(`${prefix}a`);
      await meddle(async () => {
        await put(`${prefix}b`, 'new');
        await compact(server.endpoint);
      });
      // Even if the function does not care.
      await t.get(`${prefix}b`).catch(() => null);
      t.put(`${prefix}c`, 'x');
    });
    expect(runs).toBe(2);
  });

  it('gives up after as many attempts as it may have, and writes nothing', async () => {
    const { transactions } = await startTransactions(server.endpoint);
    const key = `${freshPrefix()}key`;
    let runs = 0;
    const contended = transactions.stm(
      async (t) => {
        await t.get(key);
        await put(key, `${(runs += 1)}`);
        t.put(key, 'mine');
      },
      { maxAttempts: 3 },
    );
    await expect(contended).rejects.toMatchObject({
      code: 'TRANSACTION_CONFLICT',
      statusCode: 409,
      attempts: 3,
      keys: [key],
    });
    expect(runs).toBe(3);
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '3' });
  });

  it('stops with its signal, and with what its function throws', async () => {
    const { transactions, client } = await startTransactions(server.endpoint);
    const key = `${freshPrefix()}key`;
    const reason = new Error('enough');
    const before = client.requestsSent;
    const aborted = transactions.stm(() => 'x', { signal: AbortSignal.abort(reason) });
    await expect(aborted).rejects.toBe(reason);
    expect(client.requestsSent).toBe(before);
    const controller = new AbortController();
    const during = transactions.stm(
      (t) => {
        t.put(key, 'x');
        controller.abort(reason);
      },
      { signal: controller.signal },
    );
    await expect(during).rejects.toBe(reason);
    let runs = 0;
    const pausing = new AbortController();
    const contended = transactions.stm(
      async (t) => {
        await t.get(key);
        await put(key, `${(runs += 1)}`);
        t.put(key, 'mine');
        if (runs === 3) setImmediate(() => pausing.abort(reason));
      },
      { signal: pausing.signal, maxAttempts: 1000 },
    );
    await expect(contended).rejects.toBe(reason);
    const thrown = transactions.stm(async (t) => {
      t.put(key, 'x');
      throw reason;
    });
    await expect(thrown).rejects.toBe(reason);
    expect(await standing(server.endpoint, key)).toEqual({ [key]: `${runs}` });
  });

  it('refuses to be used after its end', async () => {
    const { transactions } = await startTransactions(server.endpoint);
    const key = `${freshPrefix()}key`;
    let kept!: Transaction;
    await transactions.stm((t) => void (kept = t));
    expect(() => kept.put(key, 'x')).toThrow(/after its function had ended/);
    expect(() => kept.delete(key)).toThrow(/after its function had ended/);
    await expect(kept.get(key)).rejects.toMatchObject({ code: 'INVALID_TRANSACTION' });
    await expect(kept.range(key)).rejects.toMatchObject({ code: 'INVALID_TRANSACTION' });
  });
});
