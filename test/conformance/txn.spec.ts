import { afterAll, beforeAll, describe, test } from 'vitest';
import { answers, b, compact, op, put, range, remove, txn } from './support/requests.js';
import { LINES, Rig, type Server } from './support/rig.js';

const RESULTS = ['Equal', 'Greater', 'Less', 'NotEqual'];

async function fill({ api }: Server): Promise<void> {
  await api.call('Lease', 'LeaseGrant', { ID: 7, TTL: 100 });
  await put(api, 'a', 'one');
  await put(api, 'a', 'two');
  await put(api, 'b', 'one', { lease: 7 });
  await put(api, 'c', '');
  await put(api, 'gone', 'x');
  await remove(api, 'gone');
}

describe.skipIf(LINES.length === 0)('transactions, as etcd does them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('every comparison with every target, on a key, none and many', () =>
    rig.compare(async (server, base) => {
      await fill(server);
      const operands = [
        ...[0, 1, 2, -1].map((version) => ({ target: 'Version', version })),
        ...[0, base + 1, base + 2, base + 3].flatMap((revision) => [
          { target: 'Create', create_revision: revision },
          { target: 'Mod', mod_revision: revision },
        ]),
        ...['', 'one', 'two', 'on', '\xff'].map((value) => ({ target: 'Value', value: b(value) })),
        ...[0, 7, 8, '-9223372036854775808'].map((lease) => ({ target: 'Lease', lease })),
        // The operand of another target than the one named.
        { target: 'Version', value: b('one') },
        { target: 'Value', version: 2 },
        { target: 'Lease' },
      ];
      const places = [
        ['a'],
        ['b'],
        ['c'],
        ['gone'],
        ['a', 'c'],
        ['a', '\0'],
        ['c', 'a'],
        ['x', 'z'],
      ];
      return Promise.all(
        places.flatMap(([key, end]) =>
          operands.flatMap((operand) =>
            RESULTS.map(async (result) => {
              const compare = [
                { key: b(key!), ...(end && { range_end: b(end) }), result, ...operand },
              ];
              const [answer] = await answers(() => txn(server.api, { compare }));
              return { compare: JSON.stringify({ key, end, result, ...operand }), answer };
            }),
          ),
        ),
      );
    }));

  test('all operations of a transaction share one revision', () =>
    rig.compare(async (server) => {
      await fill(server);
      const { api } = server;
      const all = op.range('\0', '\0');
      return answers(
        () =>
          txn(api, {
            success: [all, op.put('a', '3'), all, op.put('n', 'new'), op.range('n'), all],
          }),
        () => txn(api, { success: [op.remove('n', '', { prev_kv: true }), op.range('n'), all] }),
        () => txn(api, { success: [op.remove('none'), op.range('a')] }),
        () =>
          txn(api, { success: [op.remove('none', 'nonf', { prev_kv: true }), op.put('z', '')] }),
        () =>
          txn(api, {
            success: [op.put('z', 'x', { prev_kv: true }), op.put('y', '', { lease: 7 })],
          }),
        () => txn(api, { success: [op.put('z', '', { ignore_value: true, prev_kv: true })] }),
        () => txn(api, { success: [op.put('y', 'kept lease', { ignore_lease: true })] }),
        () => txn(api, { success: [op.range('a', '', { count_only: true, limit: 1 })] }),
        () => txn(api, { success: [op.txn([op.range('a')])] }),
        () =>
          txn(api, { success: [op.txn([op.put('q', '1'), op.txn([op.put('r', '2'), all])]), all] }),
        () => range(api, '\0', '\0'),
      );
    }));

  test('nested comparisons see what was before', () =>
    rig.compare(({ api }) => {
      const exists = (key: string) => ({ key: b(key), target: 'Version', result: 'Greater' });
      return answers(
        () =>
          txn(api, {
            compare: [],
            success: [
              op.put('k', '1'),
              op.txn([op.put('seen', '')], [op.put('unseen', '')], [exists('k')]),
              op.range('k'),
            ],
          }),
        () =>
          txn(api, {
            compare: [exists('k'), exists('none')],
            success: [op.put('wrong', '')],
            failure: [
              op.txn(
                [
                  op.txn([op.remove('k')], [op.put('wrong', '')], [exists('unseen')]),
                  op.range('k'),
                ],
                [],
                [exists('k')],
              ),
              op.txn([], [op.range('k'), op.txn([], [])], [exists('none')]),
            ],
          }),
        () => range(api, '\0', '\0'),
      );
    }));

  test('what is refused changes nothing', () =>
    rig.compare(async (server, base) => {
      await fill(server);
      const { api } = server;
      await compact(api, base + 3);
      const good = op.put('w', 'written');
      return answers(
        () => txn(api, { success: [good, op.put('', '')] }),
        () => txn(api, { success: [good], failure: [op.put('', '')] }),
        () => txn(api, { success: [good], compare: [{ key: b('') }] }),
        () => txn(api, { success: [good, op.range('')] }),
        () => txn(api, { success: [good, op.remove('')] }),
        () => txn(api, { success: [good, {}] }),
        () => txn(api, { success: [good, op.put('a', 'x', { ignore_value: true })] }),
        () => txn(api, { success: [good, op.put('a', '', { lease: 7, ignore_lease: true })] }),
        () => txn(api, { success: [good, op.put('a', '', { lease: 404 })] }),
        () => txn(api, { success: [good, op.put('none', '', { ignore_value: true })] }),
        () => txn(api, { success: [good, op.txn([op.put('none', '', { ignore_lease: true })])] }),
        () => txn(api, { success: [good, op.put('none', '', { lease: 404, ignore_value: true })] }),
        () => txn(api, { success: [good, op.range('a', '', { revision: base + 2 })] }),
        () => txn(api, { success: [good, op.range('a', '', { revision: base + 3 })] }),
        () => txn(api, { success: [good, op.txn([op.range('a', '', { revision: base + 99 })])] }),
        () => txn(api, { success: [op.range('a', '', { revision: base + 99 })] }),
        () => txn(api, { success: [op.range('a', '', { revision: -1 })] }),
        // The side that does not run is not looked at as closely.
        () => txn(api, { success: [good], failure: [op.put('none', '', { lease: 404 })] }),
        () => range(api, '\0', '\0'),
      );
    }));

  test('one key is written once', () =>
    rig.compare(({ api }) => {
      const p = op.put;
      const d = op.remove;
      const n = op.txn;
      const tries: object[][] = [
        [p('k'), p('k')],
        [p('k'), p('l')],
        [p('k'), d('k')],
        [d('k'), p('k')],
        [d('a', 'z'), p('k')],
        [d('a', 'k'), p('k')],
        [d('a', '\0'), p('k')],
        [p('k'), d('a', '\0')],
        [d('\0', '\0'), p('k')],
        [d('k'), d('k')],
        [d('z', 'a'), p('k')],
        [p('k'), n([p('k')])],
        [n([p('k')]), n([p('k')])],
        [n([p('k')], [p('k')])],
        [n([p('k')], [p('l')]), n([p('l')])],
        [n([], [p('k')]), p('k')],
        [n([d('k')]), p('k')],
        [n([d('k')]), n([p('k')])],
        [n([p('k')]), n([d('k')])],
        [n([p('k')]), d('k')],
        [n([n([d('j', 'l')])]), p('k')],
        [n([n([p('k')])]), n([n([p('k')])])],
        [n([p('k')], [n([p('k')])])],
        [n([n([p('k')], [p('k')])]), n([], [p('k')])],
      ];
      return answers(
        ...tries.flatMap((success) => [
          () => txn(api, { success }),
          () =>
            txn(api, {
              compare: [{ key: b('x'), target: 'Version', version: 1 }],
              failure: success,
            }),
        ]),
        () => range(api, '\0', '\0'),
      );
    }));

  test('at most 128 operations, at every level together', () =>
    rig.compare(({ api }) => {
      const puts = (count: number) => Array.from({ length: count }, (_, n) => op.put(`k${n}`));
      const compares = (count: number) =>
        Array.from({ length: count }, () => ({ key: b('x'), target: 'Version' }));
      return answers(
        () => txn(api, { success: puts(128) }),
        () => txn(api, { success: puts(129) }),
        () => txn(api, { failure: puts(129) }),
        () => txn(api, { success: puts(100), failure: puts(100) }),
        () => txn(api, { compare: compares(128) }),
        () => txn(api, { compare: compares(129) }),
        () => txn(api, { success: [op.txn(puts(127))] }),
        () => txn(api, { success: [op.txn(puts(128))] }),
        () => txn(api, { success: [op.txn(puts(64)), op.put('z')], compare: compares(64) }),
        () => txn(api, { success: [op.txn(puts(65)), op.put('z')], compare: compares(64) }),
        () => txn(api, { success: [op.txn([op.txn(puts(126))])] }),
        () => txn(api, { success: [op.txn([op.txn(puts(127))])] }),
      );
    }));
});
