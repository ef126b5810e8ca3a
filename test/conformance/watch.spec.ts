import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { answers, b, compact, op, put, remove, txn } from './support/requests.js';
import { LINES, Rig } from './support/rig.js';
import type { WatchTape } from './support/watch-tape.js';

const ALL = { key: b('\0'), range_end: b('\0') };

const counts = (...pairs: [string, number][]) => new Map(pairs);
const allFacts = (tape: WatchTape) => Object.fromEntries(tape.facts);

describe.skipIf(LINES.length === 0)('watches, as etcd does them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test('what is created, refused and cancelled', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      const created = [
        await watch.create({ key: b('a') }),
        await watch.create({ key: b('a'), watch_id: 2 }),
        await watch.create({ key: b('a'), watch_id: 2 }),
        await watch.create({ key: b('a'), watch_id: -5 }),
        await watch.create({ key: b('a') }),
        await watch.create({ key: b('a') }),
        await watch.create({ key: b('b'), range_end: b('a') }),
        await watch.create({ key: b('b'), range_end: b('b') }),
        await watch.create({ key: b('b'), range_end: b('') }),
        await watch.create({ key: b(''), range_end: b('\0') }),
        await watch.create({ key: b('') }),
        await watch.create({ key: b('a'), start_revision: base + 100 }),
      ];
      await watch.cancel('2');
      await put(api, 'a', 'one');
      created.push(await watch.create({ key: b('a'), watch_id: 2 }));
      await watch.cancel('-5');
      await put(api, 'a', 'two');
      await watch.untilAtLeast(counts(['0', 3], ['1', 3], ['2', 4], ['3', 3], ['5', 3]));
      return [created, allFacts(watch)];
    }));

  // Etcd 3.4 and early 3.5 take a negative start for "now".
  test('a start before all time', () =>
    rig.compare(
      async ({ tape }) =>
        tape()
          .create({ key: b('a'), start_revision: -1 })
          .catch(String),
      '3.5',
    ));

  test('keys and ranges, live and from history, side by side on one stream', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      const ranges = [
        ['a', ''],
        ['a', 'c'],
        ['b', '\0'],
        ['\0', '\0'],
        ['b\0', ''],
      ] as const;
      const more = [{}, { prev_kv: true }, { filters: ['Noput'] }, { filters: ['Nodelete'] }];
      const create = async (start_revision: number) => {
        for (const [key, end] of ranges) {
          for (const options of more) {
            await watch.create({
              key: b(key),
              ...(end && { range_end: b(end) }),
              start_revision,
              ...options,
            });
          }
        }
      };
      await create(0);
      await put(api, 'a', '1');
      await put(api, 'b', '1');
      await put(api, 'a', '2');
      await txn(api, { success: [op.put('c', '1'), op.remove('a'), op.put('b\0', '1')] });
      await remove(api, 'b', 'd');
      await put(api, 'a', '3');
      await create(base + 1);
      await create(base + 3);
      await create(base + 8);
      await put(api, 'a', '4');
      await put(api, 'b', '4');
      await txn(api, { success: [op.put('a'), op.put('b'), op.put('c'), op.put('b\0')] });
      await watch.create({ key: b('mark') });
      await put(api, 'mark', '');
      await watch.untilAtLeast(counts(['80', 2]));
      // History may come later than what is new; no stream has more than these.
      await watch.until(() => total(watch) >= 565, 'all facts').catch(() => undefined);
      return [total(watch), allFacts(watch)];
    }));

  test('one revision comes whole, in the order in which it was written', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      await watch.create({ ...ALL, prev_kv: true });
      await txn(api, { success: [op.put('z'), op.put('a'), op.txn([op.put('m')])] });
      // Blind spots of the check for duplicates: one key, twice in a revision.
      await txn(api, { success: [op.txn([op.put('a', 'x')]), op.txn([op.remove('a')])] });
      await txn(api, { success: [op.remove('b', '\0'), op.put('m', 'anew')] });
      await watch.create({ ...ALL, prev_kv: true, start_revision: base + 1 });
      await watch.untilAtLeast(counts(['0', 9], ['1', 9]));
      return allFacts(watch);
    }));

  test('a compacted start', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      for (const value of ['1', '2', '3']) await put(api, 'a', value);
      await put(api, 'b', '1');
      await put(api, 'a', '4');
      await compact(api, base + 4);
      await watch.create({ key: b('a'), start_revision: base + 1 });
      await watch.create({ ...ALL, start_revision: base + 3, watch_id: 7 });
      await watch.create({ ...ALL, start_revision: base + 4, prev_kv: true, watch_id: 8 });
      await watch.create({ ...ALL, start_revision: base + 5, prev_kv: true, watch_id: 9 });
      await watch.untilAtLeast(counts(['0', 2], ['7', 2], ['8', 3], ['9', 2]));
      const again = await watch.create({ key: b('a'), watch_id: 7 });
      await watch.cancel('7');
      const anew = await watch.create({ key: b('a'), watch_id: 7 });
      await put(api, 'a', '5');
      await watch.untilAtLeast(counts(['7', 5], ['8', 4], ['9', 3]));
      const compacted = watch.responses.find(({ compact_revision }) => compact_revision !== '0');
      return [again, anew, allFacts(watch), compacted!['header'].revision];
    }));

  // Before 3.5.17 a compaction drops the deletion at its own revision.
  test('a deletion at the compacted revision', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      await put(api, 'a', '1');
      await remove(api, 'a');
      // Of one key written twice in that revision, only what came of it is left.
      await txn(api, { success: [op.txn([op.put('b')]), op.put('c'), op.txn([op.remove('b')])] });
      await compact(api, base + 2);
      await watch.create({ ...ALL, start_revision: base + 2, prev_kv: true });
      await watch.untilAtLeast(counts(['0', 5]));
      await compact(api, base + 3);
      await watch.create({ ...ALL, start_revision: base + 3, prev_kv: true });
      await watch.untilAtLeast(counts(['1', 3]));
      return allFacts(watch);
    }, '3.5'));

  test('a start in the future is silent until then', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      await watch.create({ ...ALL, start_revision: base + 3 });
      for (const value of ['1', '2', '3', '4']) await put(api, 'a', value);
      await watch.untilAtLeast(counts(['0', 3]));
      return allFacts(watch);
    }));

  test('five thousand events of history, then what is new', () =>
    rig.compare(async ({ api, tape }, base) => {
      const write = () => txn(api, { success: ['a', 'b', 'c', 'd'].map((key) => op.put(key)) });
      for (let batch = 0; batch < 10; batch++) {
        await Promise.all(Array.from({ length: 125 }, () => write()));
      }
      const watch = tape();
      await watch.create({ ...ALL, start_revision: base + 1 });
      await put(api, 'last', '');
      await watch.untilAtLeast(counts(['0', 5002]), 10_000);
      expect(Math.max(...watch.responses.map(({ events }) => events.length))).toBe(4000);
      return watch.factsOf('0');
    }));

  test('fragments of a response that is too large', () =>
    rig.compare(async ({ name, api, tape }, base) => {
      const watch = tape();
      for (const id of [1, 2])
        await watch.create({ ...ALL, prev_kv: true, fragment: id === 1, watch_id: id });
      const write = (fill: string) =>
        txn(api, { success: ['a', 'b', 'c'].map((key) => op.put(key, fill.repeat(450_000))) });
      await write('x');
      await write('y');
      await watch.create({
        ...ALL,
        prev_kv: true,
        fragment: true,
        watch_id: 3,
        start_revision: base + 1,
      });
      await watch.untilAtLeast(counts(['1', 7], ['2', 7], ['3', 7]));
      const live = watch.responses.filter(
        ({ watch_id, events }) => watch_id === '1' && events.length > 0,
      );
      expect(watch.responses.some(({ watch_id, fragment }) => watch_id === '2' && fragment)).toBe(
        false,
      );
      // Etcd does not split what it has read before it could say that the watch is created.
      const isSplit = watch.responses.some(
        ({ watch_id, fragment }) => watch_id === '3' && fragment,
      );
      if (name === 'embedded') expect(isSplit).toBe(true);
      return [allFacts(watch), live.map(({ events, fragment }) => [events.length, fragment])];
    }));

  // Etcd 3.4 answers at once, even for watches that have history to read.
  test('progress on request', () =>
    rig.compare(async ({ api, tape }, base) => {
      const watch = tape();
      const ask = async () => {
        const before = watch.responses.length;
        watch.write({ progress_request: {} });
        await watch.flush();
        return watch.responses
          .slice(before)
          .map(({ watch_id, header }) => [watch_id, header.revision]);
      };
      const asked = [await ask()];
      await watch.create({ key: b('a') });
      asked.push(await ask());
      await put(api, 'b', '');
      asked.push(await ask());
      await watch.create({ key: b('a'), start_revision: base + 3 });
      asked.push(await ask());
      await put(api, 'b', '');
      await put(api, 'b', '');
      asked.push(await ask());
      return asked;
    }, '3.5'));

  test('a client that has no more to ask still listens', () =>
    rig.compare(async ({ api }) => {
      const stream = api.stream('Watch', 'Watch');
      const events: unknown[] = [];
      const done = new Promise<void>((resolve, reject) => {
        stream.on('data', (response) => {
          if (response['created']) void put(api, 'a', 'x');
          events.push(...response['events']);
          if (events.length > 0) resolve();
        });
        stream.on('error', reject);
      });
      stream.write({ create_request: { key: b('a') } });
      stream.end();
      await done;
      stream.on('error', () => undefined);
      stream.removeAllListeners('error').on('error', () => undefined);
      stream.cancel();
      return answers(() => Promise.resolve(events));
    }));
});

function total(tape: WatchTape): number {
  return [...tape.facts.values()].reduce((sum, facts) => sum + facts.length, 0);
}
