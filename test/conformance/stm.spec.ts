import { afterAll, beforeAll, describe, test } from 'vitest';
import { answers, b, compact, op, put, remove, txn } from './support/requests.js';
import { LINES, Rig } from './support/rig.js';

const mod = (key: string, result: string, revision: number, end?: string) => ({
  key: b(key),
  ...(end && { range_end: b(end) }),
  target: 'Mod',
  result,
  mod_revision: revision,
});

/** What this library's transactions are made of: see libs/etcd-coordination/src/transaction. */
describe.skipIf(LINES.length === 0)('software transactions, as etcd does them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('a range that must not have changed: keys added, changed, deleted, none', () =>
    rig.compare(async ({ api }, base) => {
      const unchanged = (since: number) => () =>
        txn(api, {
          compare: [mod('a/', 'Less', since, 'a0')],
          success: [op.put('sum', `${since}`)],
          failure: [op.range('a/', 'a0'), op.range('m'), op.range('a/1', '', { keys_only: true })],
        });
      const all = [base, base + 1, base + 2, base + 3, base + 4, base + 9].map(unchanged);
      return answers(
        ...all,
        () => put(api, 'a/1', 'x'),
        () => put(api, 'a/3', 'x'),
        ...all,
        () => put(api, 'a/2', 'added'),
        ...all,
        () => put(api, 'a/1', 'changed'),
        () => remove(api, 'a/3'),
        // Beside the range.
        () => put(api, 'a', 'x'),
        () => put(api, 'a0', 'x'),
        ...all,
        () => remove(api, 'a/', 'a0'),
        ...all,
      );
    }));

  test('a fence, a mark, and what failed', () =>
    rig.compare(async ({ api }, base) => {
      const write = (fence: number, mark: number, key: number) => () =>
        txn(api, {
          compare: [
            mod('mark', 'Equal', mark),
            { key: b('fence'), target: 'Create', result: 'Equal', create_revision: fence },
            mod('key', 'Equal', key),
          ],
          success: [op.put('key', 'written'), op.put('mark', 'w1', { lease: 7 }), op.remove('x')],
          failure: [
            op.range('mark', '', { keys_only: true }),
            op.range('fence', '', { keys_only: true }),
            op.range('key'),
          ],
        });
      return answers(
        () => api.call('Lease', 'LeaseGrant', { ID: 7, TTL: 100 }),
        write(base + 1, 0, 0),
        () => put(api, 'fence', 'one'),
        write(base, 0, 0),
        write(base + 1, 0, base),
        write(base + 1, 0, 0),
        write(base + 1, 0, 0),
        write(base + 1, base + 2, base + 2),
        () => put(api, 'fence', 'as it was created'),
        write(base + 1, base + 3, base + 3),
        () => api.call('Lease', 'LeaseRevoke', { ID: 7 }),
        write(base + 1, base + 5, base + 5),
        write(base + 1, 0, base + 5),
      );
    }));

  test('reads as of a revision, together, and after a compaction', () =>
    rig.compare(async ({ api }, base) => {
      const read = (revision: number) => () =>
        txn(api, {
          success: [
            op.range('a', '', { revision }),
            op.range('a', 'c', { revision, limit: 1 }),
            op.range('b', '', { revision }),
          ],
        });
      return answers(
        () => put(api, 'a', '1'),
        () => put(api, 'b', '1'),
        () => put(api, 'a', '2'),
        () => remove(api, 'b'),
        ...[base, base + 1, base + 2, base + 3, base + 4, base + 5].map(read),
        () => compact(api, base + 3),
        ...[base + 2, base + 3, base + 4].map(read),
      );
    }));

  test('transactions within transactions, each with conditions of its own on ranges', () =>
    rig.compare(({ api }, base) => {
      const part = (prefix: string, since: number) =>
        op.txn(
          [op.put(`${prefix}sum`, 'x')],
          [op.range(prefix, `${prefix}~`)],
          [mod(prefix, 'Less', since, `${prefix}~`)],
        );
      return answers(
        () => put(api, 'a/1', 'x'),
        () => put(api, 'b/1', 'x'),
        () => txn(api, { success: [part('a/', base + 2), part('b/', base + 2)] }),
        () => txn(api, { success: [part('a/', base + 4), part('b/', base + 4)] }),
        () => txn(api, { success: [op.txn([part('a/', base + 9), part('b/', base)])] }),
      );
    }));
});
