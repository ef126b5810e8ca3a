import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  ConfigConflictError,
  ConfigInvalidError,
  ConfigLayerMissingError,
  ConfigVersionError,
  InvalidConfigLayerError,
  InvalidConfigWriteError,
} from '../../../libs/etcd-coordination/src/config/config.errors.js';
import { InvalidConfigNameError } from '../../../libs/etcd-coordination/src/config/config-name.js';
import type { ConfigPublisher } from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import {
  compact,
  currentRevision,
  deleteKey,
  keysUnder,
  putKey,
} from '../../support/etcd-admin.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshName, NAMESPACE, sharedKey, startPublisher } from './publishers.js';

describe.each(await serversUnderTest())('publishing, $name', ({ start }) => {
  let server: ServerUnderTest;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  const document = async (name: string) =>
    (await keysUnder(server.endpoint, sharedKey(name)))[0]?.value;
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('it went through'),
      (error: unknown) => error as any,
    );
  const numbers = async (publisher: ConfigPublisher, name: string) =>
    (await publisher.history(name)).map(({ sequence }) => sequence);

  it('writes what etcdctl would, and keeps who, when and why of every version', async () => {
    const at = [new Date('2026-03-01T10:00:00Z'), new Date('2026-02-01T10:00:00Z')];
    const clock = [...at];
    const { publisher } = await startPublisher(server.endpoint, { now: () => clock.shift()! });
    const name = freshName();
    const first = await publisher.set(name, { price: 1 }, { reason: 'opening' });
    expect(first).toMatchObject({ key: name, layer: 'shared', sequence: 1 });
    expect(first.revision).toBe(await currentRevision(server.endpoint));
    const second = await publisher.set(name, { price: 2 }, { author: 'ada' });
    expect(second).toMatchObject({ sequence: 2 });
    expect(await document(name)).toBe('{"price":2}');
    expect(await publisher.history(name)).toEqual([
      {
        ...{ sequence: 2, layer: 'shared', revision: second.revision, deleted: false },
        ...{ author: 'ada', at: at[1], reason: null, document: '{"price":2}', current: true },
      },
      {
        ...{ sequence: 1, layer: 'shared', revision: first.revision, deleted: false },
        ...{ author: 'orders-1', at: at[0], reason: 'opening' },
        ...{ document: '{"price":1}', current: false },
      },
    ]);
    expect(await publisher.history(name, { limit: 1 })).toHaveLength(1);
    expect(await publisher.history(freshName())).toEqual([]);
  });

  it('keeps layers and configurations apart', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    await publisher.set(name, 1);
    await publisher.set(`${name}/b`, 2);
    await publisher.set(name, 3, { layer: 'zone:eu/1' });
    await publisher.set(name, 4, { layer: 'zone:eu' });
    expect(await publisher.history(name)).toMatchObject([{ sequence: 1, document: '1' }]);
    expect(await publisher.history(name, { layer: 'zone:eu' })).toMatchObject([
      { sequence: 1, layer: 'zone:eu', document: '4' },
    ]);
    expect(await publisher.history(`${name}/b`)).toMatchObject([{ document: '2' }]);
    await publisher.delete(name);
    expect(await publisher.history(name, { layer: 'zone:eu/1' })).toMatchObject([
      { document: '3', current: true },
    ]);
  });

  it('writes values in their format, and documents as they are', async () => {
    const { publisher, declare } = await startPublisher(server.endpoint);
    const [json, yaml, text] = [freshName(), freshName(), freshName()];
    declare(yaml, { format: 'yaml' });
    await publisher.set(json, 'a: 1');
    expect(await document(json)).toBe('"a: 1"');
    await publisher.set(yaml, { a: [1] });
    expect(await document(yaml)).toBe('a:\n  - 1\n');
    await publisher.setDocument(yaml, '# why\na: 2 # two\n');
    expect(await document(yaml)).toBe('# why\na: 2 # two\n');
    await publisher.set(yaml, { a: 3 });
    await publisher.rollback(yaml, { to: 2 });
    expect(await document(yaml)).toBe('# why\na: 2 # two\n');
    await publisher.set(text, 'Good day', { format: 'text' });
    expect(await document(text)).toBe('Good day');
    // Whoever has not declared it goes on as it was written last, after a deletion too.
    const other = await startPublisher(server.endpoint);
    await other.publisher.set(text, 'Good night');
    expect(await document(text)).toBe('Good night');
    await other.publisher.setDocument(yaml, 'b: 1 # one\n');
    await other.publisher.delete(text);
    await other.publisher.set(text, 'Good morning');
    expect(await document(text)).toBe('Good morning');
  });

  it('refuses what is invalid before it sends anything', async () => {
    const { publisher, client, declare } = await startPublisher(server.endpoint);
    const name = freshName();
    declare(name, { schema: z.object({ price: z.number().positive() }) });
    const before = client.requestsSent;
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    for (const value of [undefined, { a: undefined }, { a: 1n }, { a: NaN }, circle, () => 1]) {
      expect(await refusal(publisher.set(name, value))).toBeInstanceOf(ConfigInvalidError);
    }
    for (const text of ['{"price": 1', '{"__proto__": {}}', '['.repeat(10_000)]) {
      expect(await refusal(publisher.setDocument(name, text))).toBeInstanceOf(ConfigInvalidError);
    }
    expect(await refusal(publisher.set('', 1))).toBeInstanceOf(InvalidConfigNameError);
    expect(await refusal(publisher.set(name, 1, { layer: 'zone' as any }))).toBeInstanceOf(
      InvalidConfigLayerError,
    );
    for (const options of [
      { expectedRevision: 3 as any },
      { expectedRevision: -1n },
      { author: '' },
      { author: 1 as any },
      { format: 'xml' as any },
      { reason: 'x'.repeat(5000) },
      null as any,
    ]) {
      const error = await refusal(publisher.set(name, { price: 1 }, options));
      expect(error).toBeInstanceOf(InvalidConfigWriteError);
    }
    for (const to of [0, -1, 1.5, '1' as any, undefined as any]) {
      expect(await refusal(publisher.rollback(name, { to }))).toBeInstanceOf(
        InvalidConfigWriteError,
      );
    }
    expect(client.requestsSent).toBe(before);

    const error = await refusal(publisher.set(name, { price: -1 }));
    expect(error).toBeInstanceOf(ConfigInvalidError);
    expect(error.message).toMatch(/price/);
    expect(await keysUnder(server.endpoint, `${NAMESPACE}/config/${name}/`)).toEqual([]);
  });

  it('validates what a reader of the layer would get, not the layer alone', async () => {
    const { publisher, declare } = await startPublisher(server.endpoint);
    const name = freshName();
    declare(name, { schema: z.object({ low: z.number(), high: z.number() }) });
    const plain = await startPublisher(server.endpoint);
    await plain.publisher.set(name, { low: 1 });
    // Complete only with the shared layer, whether it is one's own or a stranger's.
    await publisher.set(name, { high: 2 }, { layer: 'zone:eu' });
    await publisher.set(name, { high: 3 }, { layer: 'instance:other' });
    const error = await refusal(publisher.set(name, { low: 'x' }, { layer: 'zone:us' }));
    expect(error).toBeInstanceOf(ConfigInvalidError);
    // An own layer above counts, too.
    await publisher.set(name, { low: 3 });
    expect(await refusal(publisher.set(name, { low: null }))).toBeInstanceOf(ConfigInvalidError);
    // What is left must do, unless nothing is left.
    await publisher.set(name, { low: 5, high: 6 }, { layer: 'instance:orders-1' });
    await publisher.delete(name, { layer: 'instance:orders-1' });
    expect(await refusal(publisher.delete(name, { layer: 'zone:eu' }))).toBeInstanceOf(
      ConfigInvalidError,
    );
    await plain.publisher.delete(name, { layer: 'zone:eu' });
    await publisher.delete(name);
    // The narrower layer is the one that is read.
    const order = freshName();
    declare(order, { schema: z.object({ low: z.number().max(5) }) });
    await plain.publisher.set(order, { low: 9 });
    await publisher.set(order, { low: 1 }, { layer: 'zone:eu' });
    // A schema that is given counts instead of the one that is declared.
    await publisher.set(name, 'anything', { schema: z.string() });
    // A layer that cannot be read does not keep anybody from mending another.
    await putKey(server.endpoint, sharedKey(name), '{');
    await publisher.set(name, { low: 1, high: 2 }, { layer: 'zone:eu' });
  });

  it('refuses what others changed after the revision that was expected, and says who', async () => {
    const at = new Date('2026-03-01T10:00:00Z');
    const { publisher } = await startPublisher(server.endpoint, { now: () => at });
    const name = freshName();
    const created = await publisher.set(name, 1, { expectedRevision: 0n });
    expect(await refusal(publisher.set(name, 2, { expectedRevision: 0n }))).toMatchObject({
      code: 'CONFIG_CONFLICT',
      expectedRevision: 0n,
      revision: created.revision,
      message: expect.stringMatching(/expected not to exist/),
    });
    const changed = await publisher.set(name, 2, {
      ...{ author: 'ada', reason: 'sale', expectedRevision: created.revision },
    });
    const stale = await refusal(publisher.set(name, 3, { expectedRevision: created.revision }));
    expect(stale).toBeInstanceOf(ConfigConflictError);
    expect(stale).toMatchObject({
      ...{ key: name, layer: 'shared', changedBy: 'ada', changedAt: at, reason: 'sale' },
      ...{ expectedRevision: created.revision, revision: changed.revision, deleted: false },
    });
    for (const part of [name, '"shared"', 'ada', at.toISOString(), 'sale']) {
      expect(stale.message).toContain(part);
    }
    expect(stale.message).toContain(`${created.revision}`);
    expect(stale.message).toContain(`${changed.revision}`);
    const { expectedRevision } = stale;
    expect(await refusal(publisher.delete(name, { expectedRevision }))).toMatchObject({
      code: 'CONFIG_CONFLICT',
    });
    expect(await refusal(publisher.rollback(name, { to: 1, expectedRevision }))).toMatchObject({
      code: 'CONFIG_CONFLICT',
    });
    expect(await document(name)).toBe('2');
    expect(await numbers(publisher, name)).toEqual([2, 1]);
    // A later revision will do: what stands has not changed after it.
    await putKey(server.endpoint, 'elsewhere', 'x');
    const later = await currentRevision(server.endpoint);
    await publisher.set(name, 3, { expectedRevision: later });
    const future = await currentRevision(server.endpoint);
    const ahead = await refusal(publisher.set(name, 4, { expectedRevision: future + 5n }));
    expect(ahead).toBeInstanceOf(InvalidConfigWriteError);
    expect(ahead.message).toMatch(/another etcd/);
  });

  it('knows when a layer that is gone went', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const [name, foreign, never] = [freshName(), freshName(), freshName()];
    const set = await publisher.set(name, 1);
    const gone = await publisher.delete(name, { author: 'ada', reason: 'obsolete' });
    expect(gone).toMatchObject({ sequence: 2 });
    const error = await refusal(publisher.set(name, 2, { expectedRevision: set.revision }));
    expect(error).toMatchObject({ changedBy: 'ada', deleted: true, revision: gone.revision });
    await publisher.set(name, 2, { expectedRevision: gone.revision });
    await publisher.delete(name);
    await publisher.set(name, 3, { expectedRevision: 0n });
    expect(await numbers(publisher, name)).toEqual([5, 4, 3, 2, 1]);

    const { revision } = await publisher.set(foreign, 1);
    await deleteKey(server.endpoint, sharedKey(foreign));
    const past = await refusal(publisher.set(foreign, 2, { expectedRevision: revision }));
    expect(past).toMatchObject({ changedBy: null, deleted: true, revision: null });
    expect(past.message).toMatch(/past this library/);
    const after = await currentRevision(server.endpoint);
    await publisher.set(foreign, 2, { expectedRevision: after });

    // It has not changed after that revision: it never was.
    await publisher.set(never, 1, { layer: 'instance:a', expectedRevision: after });
    await publisher.delete(never, { layer: 'instance:a' });
    expect(await refusal(publisher.delete(never, { layer: 'instance:a' }))).toBeInstanceOf(
      ConfigLayerMissingError,
    );
    await compact(server.endpoint);
    // Nobody knows any more, so it may have been there.
    const unknown = publisher.set(freshName(), 1, { expectedRevision: after });
    expect(await refusal(unknown)).toBeInstanceOf(ConfigConflictError);
  });

  it('loses nothing that was written or deleted past it', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    await putKey(server.endpoint, sharedKey(name), '"by hand"');
    const foreign = await currentRevision(server.endpoint);
    const stranger = { author: null, at: null, reason: null };
    expect(await publisher.history(name)).toEqual([
      {
        ...{ sequence: 1, layer: 'shared', revision: foreign, ...stranger },
        ...{ deleted: false, document: '"by hand"', current: true },
      },
    ]);
    await publisher.set(name, 'ours');
    await putKey(server.endpoint, sharedKey(name), '"again"');
    expect(await publisher.history(name)).toMatchObject([
      { sequence: 3, ...stranger, document: '"again"', current: true },
      // Written over before it was archived: etcd's own past has it.
      { sequence: 2, author: 'orders-1', document: '"ours"', current: false },
      { sequence: 1, ...stranger, document: '"by hand"', revision: foreign, current: false },
    ]);
    const stale = await refusal(publisher.set(name, 'x', { expectedRevision: foreign }));
    expect(stale).toMatchObject({ changedBy: null, deleted: false });
    await publisher.set(name, 'ours again');
    await deleteKey(server.endpoint, sharedKey(name));
    expect((await publisher.history(name))[0]).toMatchObject({
      ...{ sequence: 5, ...stranger, revision: null, deleted: true, document: null, current: true },
    });
    await publisher.set(name, 'last');
    await compact(server.endpoint);
    expect((await publisher.history(name)).map((v) => [v.sequence, v.document])).toEqual([
      [6, '"last"'],
      [5, null],
      [4, '"ours again"'],
      [3, '"again"'],
      [2, '"ours"'],
      [1, '"by hand"'],
    ]);
    await publisher.rollback(name, { to: 3 });
    expect(await document(name)).toBe('"again"');
  });

  it('shows what was written over past it and compacted as lost, and goes on', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    await publisher.set(name, 'ours');
    await putKey(server.endpoint, sharedKey(name), '"theirs"');
    await compact(server.endpoint);
    await publisher.set(name, 'new');
    expect(await publisher.history(name)).toMatchObject([
      { sequence: 3, document: '"new"' },
      { sequence: 2, document: '"theirs"', author: null },
      { sequence: 1, document: null, deleted: false, author: 'orders-1' },
    ]);
    expect(await refusal(publisher.rollback(name, { to: 1 }))).toMatchObject({
      fault: 'lost',
      available: [2],
    });
  });

  it('sets back to any version that is kept, as the next one', async () => {
    const { publisher, declare } = await startPublisher(server.endpoint, { historyLimit: 4 });
    const name = freshName();
    for (const value of [1, 2, 'three', 4]) await publisher.set(name, value);
    const back = await publisher.rollback(name, { to: 2, author: 'ada' });
    expect(back).toMatchObject({ sequence: 5 });
    expect((await publisher.history(name))[0]).toMatchObject({
      ...{ sequence: 5, author: 'ada', reason: 'rollback to 2', document: '2', current: true },
    });
    await publisher.delete(name);
    await publisher.rollback(name, { to: 4, reason: 'it was needed' });
    expect(await publisher.history(name)).toMatchObject([
      { sequence: 7, reason: 'rollback to 4: it was needed', document: '4' },
      { sequence: 6, deleted: true, document: null, current: false },
      { sequence: 5, document: '2' },
      { sequence: 4, document: '4' },
    ]);
    const faults = { 1: 'pruned', 6: 'deleted', 7: 'current', 8: 'unknown' };
    for (const [to, fault] of Object.entries(faults)) {
      const error = await refusal(publisher.rollback(name, { to: Number(to) }));
      expect(error).toBeInstanceOf(ConfigVersionError);
      expect(error).toMatchObject({ fault, available: [4, 5] });
      expect(error.message).toMatch(/set back to 4, 5\.$/);
    }
    const nothing = await refusal(publisher.rollback(freshName(), { to: 1 }));
    expect(nothing).toMatchObject({ fault: 'unknown', available: [] });
    // As today's set would be.
    declare(name, { schema: z.number().max(3) });
    expect(await refusal(publisher.rollback(name, { to: 4 }))).toBeInstanceOf(ConfigInvalidError);
    await publisher.rollback(name, { to: 5 });
  });

  it('keeps as many versions as asked for, and deletes older ones in the same transaction', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    for (let n = 1; n <= 53; n++) await publisher.set(name, n);
    const history = await publisher.history(name);
    expect(history.map((v) => v.document)).toEqual(
      Array.from({ length: 50 }, (_, index) => `${53 - index}`),
    );
    // 50 entries, the documents of all but the present one, and the present one.
    const stored = () => keysUnder(server.endpoint, `${NAMESPACE}/config/${name}/`);
    expect(await stored()).toHaveLength(50 + 49 + 1);
    // Far fewer all at once are still few operations.
    const frugal = await startPublisher(server.endpoint, { historyLimit: 2 });
    await frugal.publisher.set(name, 54);
    expect(await numbers(publisher, name)).toEqual([54, 53]);
    expect(await stored()).toHaveLength(2 + 1 + 1);
    const single = await startPublisher(server.endpoint, { historyLimit: 1 });
    await single.publisher.set(name, 55);
    expect(await publisher.history(name)).toMatchObject([{ sequence: 55, document: '55' }]);
    expect(await stored()).toHaveLength(2);
  });

  it('finds its way about what others have put among the history', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    const history = `${NAMESPACE}/config/${name}/history/shared`;
    await publisher.set(name, 1);
    for (const key of ['version/0', 'version/9x', 'version/x', 'document/9', 'notes']) {
      await putKey(server.endpoint, `${history}/${key}`, 'x');
    }
    await publisher.set(name, 2);
    await putKey(server.endpoint, `${history}/version/0000000001`, 'not ours');
    await publisher.set(name, 3);
    expect(await publisher.history(name)).toMatchObject([
      { sequence: 3, document: '3' },
      { sequence: 2, document: '2' },
      { sequence: 1, document: '1', author: null, at: null },
    ]);
  });
});
