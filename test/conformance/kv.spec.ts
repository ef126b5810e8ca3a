import { afterAll, beforeAll, describe, test } from 'vitest';
import { answers, b, compact, put, range, remove } from './support/requests.js';
import { LINES, Rig, type Server } from './support/rig.js';

const MIB = 1024 * 1024;

async function fill({ api }: Server): Promise<void> {
  for (const key of ['a', 'b', 'b\0', 'ba', 'c', 'd', '\0', '\xff', '\xff\xff']) {
    await put(api, key, `value of ${key}`);
  }
  await put(api, 'b', 'a second value');
  await put(api, 'c', '');
  await put(api, 'c', 'a third version');
  await remove(api, 'd');
}

describe.skipIf(LINES.length === 0)('KV, as etcd does it', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('an etcd that nothing was ever written to', () =>
    rig.compareFresh(({ api }) =>
      answers(
        () => range(api, 'a'),
        () => range(api, 'a', '', { revision: 1 }),
        () => range(api, 'a', '', { revision: 2 }),
        () => range(api, 'a', '', { revision: -1 }),
        () =>
          api.call('KV', 'Txn', { success: [{ request_range: { key: b('a'), revision: -1 } }] }),
        () =>
          api.call('KV', 'Txn', { success: [{ request_range: { key: b('a'), revision: -2 } }] }),
        () => api.call('KV', 'Txn', {}),
        () => remove(api, 'a'),
        () => compact(api, -1),
        () => compact(api, 2),
        () => compact(api, 0),
        () => compact(api, 0),
        () => compact(api, 1),
        () => range(api, 'a', '', { revision: 1 }),
      ),
    ));

  test('ranges: one key, some keys, all keys, none', () =>
    rig.compare(async (server) => {
      await fill(server);
      const { api } = server;
      return answers(
        ...[
          ['a', ''],
          ['zz', ''],
          ['d', ''],
          ['a', 'c'],
          ['b', 'b\0'],
          ['b', 'b\0\0'],
          ['b', '\0'],
          ['\0', '\0'],
          ['c', 'a'],
          ['c', 'c'],
          ['\xff', '\0'],
          ['\xff\xff\xff', '\0'],
          ['', ''],
          ['', '\0'],
        ].map(
          ([key, end]) =>
            () =>
              range(api, key!, end),
        ),
      );
    }));

  test('a range end that is sent but empty', () =>
    rig.compare(async (server) => {
      await fill(server);
      const { api } = server;
      const open = { key: b('b'), range_end: b('') };
      const compare = [{ ...open, target: 'Version', version: 1 }];
      const put = { request_put: { key: b('x') } };
      return answers(
        () => api.call('KV', 'Range', open),
        () => api.call('KV', 'Txn', { success: [{ request_range: open }] }),
        () => api.call('KV', 'Txn', { compare, success: [{ request_range: open }] }),
        () => api.call('KV', 'Txn', { compare, failure: [{ request_range: open }] }),
        () => api.call('KV', 'Txn', { success: [{ request_range: open }, put] }),
        () => api.call('KV', 'Txn', { compare, success: [put] }),
        () => api.call('KV', 'DeleteRange', open),
        () => api.call('KV', 'Txn', { success: [{ request_delete_range: open }] }),
      );
    }));

  test('range options', () =>
    rig.compare(async (server, base) => {
      await fill(server);
      const { api } = server;
      const all = (more: object) => () => range(api, '\0', '\0', more);
      return answers(
        ...[0, 1, 3, 8, 9, -1].map((limit) => all({ limit })),
        ...['None', 'Ascend', 'Descend'].flatMap((sort_order) =>
          ['Key', 'Version', 'Create', 'Mod', 'Value'].flatMap((sort_target) => [
            all({ sort_order, sort_target }),
            all({ sort_order, sort_target, limit: 3 }),
          ]),
        ),
        all({ keys_only: true }),
        all({ keys_only: true, sort_target: 'Value', sort_order: 'Descend' }),
        all({ count_only: true }),
        all({ count_only: true, limit: 2 }),
        all({ serializable: true }),
        ...[-3, base, base + 1, base + 5, base + 13, base + 14, base - 1, base + 15].flatMap(
          (revision) => [all({ revision }), all({ revision, limit: 2 })],
        ),
        ...['min_mod_revision', 'max_mod_revision', 'min_create_revision', 'max_create_revision']
          .flatMap((name) => [base + 2, base + 10, -1].map((revision) => ({ [name]: revision })))
          .flatMap((more) => [
            all(more),
            all({ ...more, limit: 1 }),
            all({ ...more, count_only: true }),
          ]),
      );
    }));

  test('puts', () =>
    rig.compare(({ api }) =>
      answers(
        () => put(api, '', 'x'),
        () => put(api, 'k', 'one', { prev_kv: true }),
        () => put(api, 'k', 'two', { prev_kv: true }),
        () => put(api, 'k', '', { ignore_value: true, prev_kv: true }),
        () => put(api, 'k', 'x', { ignore_value: true }),
        () => put(api, 'none', '', { ignore_value: true }),
        () => put(api, 'none', 'x', { ignore_lease: true }),
        () => put(api, 'k', 'x', { lease: 404 }),
        () => put(api, 'none', '', { lease: 404, ignore_value: true }),
        () => put(api, 'k', 'x', { lease: 404, ignore_lease: true }),
        () => api.call('Lease', 'LeaseGrant', { ID: 7, TTL: 100 }),
        () => put(api, 'k', 'three', { lease: 7 }),
        () => put(api, 'k', 'four', { ignore_lease: true, prev_kv: true }),
        () => put(api, 'k', '', { ignore_value: true, ignore_lease: true }),
        () => range(api, 'k'),
        () => put(api, 'k', 'five'),
        () => api.call('Lease', 'LeaseRevoke', { ID: 7 }),
        () => range(api, 'k'),
        () => put(api, '\0\xff', '\0\x80\xff'),
        () => range(api, '\0', '\0'),
      ),
    ));

  test('deletions and what comes after them', () =>
    rig.compare(async (server, base) => {
      await fill(server);
      const { api } = server;
      return answers(
        () => remove(api, ''),
        () => remove(api, 'zz', '', { prev_kv: true }),
        () => remove(api, 'a', '', { prev_kv: true }),
        () => remove(api, 'a'),
        () => put(api, 'a', 'anew', { prev_kv: true }),
        () => range(api, 'a'),
        () => range(api, 'a', '', { revision: base + 14 }),
        () => remove(api, 'b', 'c', { prev_kv: true }),
        () => remove(api, 'c', 'a'),
        () => range(api, '\0', '\0', { revision: base + 15 }),
        () => remove(api, 'b', '\0', { prev_kv: true }),
        () => range(api, '\0', '\0'),
      );
    }));

  test('compaction', () =>
    rig.compare(async (server, base) => {
      await fill(server);
      const { api } = server;
      return answers(
        () => compact(api, base),
        () => compact(api, base + 14),
        () => compact(api, base + 10),
        () => compact(api, base + 10),
        () => compact(api, base + 4),
        () => range(api, 'b', '', { revision: base + 9 }),
        () => range(api, 'b', '', { revision: base + 10 }),
        () => range(api, '\0', '\0', { revision: base + 12 }),
        () => range(api, 'd', '', { revision: base + 12 }),
        () => put(api, 'c', 'after', { prev_kv: true }),
        () => compact(api, base + 14),
        () => range(api, '\0', '\0'),
        () => put(api, 'd', 'again'),
        () => range(api, 'd'),
        () => remove(api, 'b'),
        () => compact(api, base + 16),
        () => range(api, 'b', '', { revision: base + 16 }),
        () => put(api, 'b', 'once more'),
        () => range(api, 'b'),
      );
    }));

  test('requests at the limits of size', () =>
    rig.compare(async ({ api }) => {
      const sized = async (bytes: number) => {
        const answer = await put(api, 'large', 'x'.repeat(bytes));
        // Beyond what gRPC takes, the words are the gRPC library's own.
        return 'error' in answer && answer.error.code === 8 ? 8 : answer;
      };
      const pair = (key: string, bytes: number) => ({
        request_put: { key: b(key), value: Buffer.alloc(bytes) },
      });
      return answers(
        () => sized(1.5 * MIB - 60),
        () => sized(1.5 * MIB),
        () => sized(2 * MIB - 100),
        () => sized(2 * MIB),
        () => sized(3 * MIB),
        () => api.call('KV', 'Txn', { success: [pair('x', MIB / 2), pair('y', MIB / 2)] }),
        () => api.call('KV', 'Txn', { success: [pair('x', MIB), pair('y', MIB / 2)] }),
        () => range(api, '\0', '\0', { keys_only: true }),
      );
    }));
});
