import type { StandardSchemaV1 } from '@standard-schema/spec';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ClientClosedError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import {
  ConfigDeclarationError,
  ConfigInvalidError,
  ConfigMissingError,
  ConfigNotReadyError,
} from '../../../libs/etcd-coordination/src/config/config.errors.js';
import { compact, deleteKey, putKey } from '../../support/etcd-admin.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { waitFor, within } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { changesOf, freshName, layerKey, startStore, type StoreOptions } from './stores.js';

const servers = await serversUnderTest();

const prices = z.object({ bolt: z.number(), nut: z.number().default(1) });

describe.each(servers)('a watched configuration of $name', ({ start }) => {
  let server: ServerUnderTest;
  let key: string;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());
  beforeEach(() => {
    key = freshName();
  });

  const put = (
    value: unknown,
    ...layer: Parameters<typeof layerKey> extends [string, ...infer L] ? L : never
  ) =>
    putKey(
      server.endpoint,
      layerKey(key, ...layer),
      typeof value === 'string' ? value : JSON.stringify(value),
    );
  const startHere = (options?: StoreOptions) => startStore(server.endpoint, options);

  it('is made of the layers of its instance, each over those before it', async () => {
    const own = await startHere();
    const other = await startHere({ identity: { instanceId: 'orders-2', zone: 'us/1' } });
    await put({ a: 1, b: { c: 1, d: [1, 2] }, e: 1 });
    const [mine, theirs] = await Promise.all([own.store.watch(key), other.store.watch(key)]);
    await put({ a: 4, i: 1 }, 'instance:orders-1');
    await put({ a: 3, b: { d: [9] }, z: 1 }, 'zone:eu');
    await put({ a: 2, b: { c: 2 }, e: null, s: 1 }, 'service:orders');
    await put({ a: 5 }, 'zone:us/1');
    await put({ a: 9 }, 'service:inventory');
    await put({ a: 9 }, 'instance:orders-10');
    const last = await put({ a: 9 }, 'zone:e');
    await waitFor(() => own.followed[0]!.live.revision >= last, { what: 'everything to be seen' });
    expect(mine.value).toEqual({ a: 4, b: { c: 2, d: [9] }, e: null, s: 1, z: 1, i: 1 });
    await waitFor(() => (theirs.value as { a: number }).a === 5, { what: 'the other zone' });
    expect(theirs.value).toEqual({ a: 5, b: { c: 2, d: [1, 2] }, e: null, s: 1 });
    await deleteKey(server.endpoint, layerKey(key, 'instance:orders-1'));
    await waitFor(() => (mine.value as { a: number }).a === 3, {
      what: 'the zone to have the word',
    });
  });

  it('keeps its last good value when something bad is pushed, tells it, and forgets it with the next good one', async () => {
    const { store, rejections, followed } = await startHere();
    await put({ bolt: 12.5 });
    const watched = await store.watch(key, { schema: prices });
    const good = watched.value;
    const changes = changesOf(watched);
    for (const [bad, what] of [
      ['{"bolt": 1', 'is no JSON at line 1, column 11'],
      [{ bolt: 'free' }, 'at bolt: Invalid input: expected number, received string'],
      ['{"bolt": 1, "__proto__": {"nut": 2}}', 'has a key "__proto__"'],
      ['['.repeat(10_000) + ']'.repeat(10_000), 'is nested deeper than 100 levels'],
    ] as const) {
      const revision = await put(bad);
      await waitFor(() => rejections.at(-1)?.revision === revision, { what: 'the rejection' });
      const rejection = rejections.at(-1)!;
      expect(rejection).toMatchObject({ key, layer: 'shared', revision });
      expect(rejection.error).toBeInstanceOf(ConfigInvalidError);
      expect(rejection.error.message).toContain(what);
      expect(watched.status()).toMatchObject({ rejected: rejection, synced: true, source: 'etcd' });
      expect(watched.value).toBe(good);
    }
    // What is not this instance's changes nothing, and so is not refused once more.
    const elsewhere = await put({ bolt: 1 }, 'zone:us');
    await waitFor(() => followed[0]!.live.revision >= elsewhere, { what: 'it to be seen' });
    expect([rejections.length, changes]).toEqual([4, []]);
    const revision = await put('\ufeff{"bolt": 13}');
    await waitFor(() => changes.length === 1, { what: 'the good push' });
    expect(changes[0]).toEqual({
      key,
      value: { bolt: 13, nut: 1 },
      previous: { bolt: 12.5, nut: 1 },
      differences: [{ path: ['bolt'], type: 'changed', before: 12.5, after: 13 }],
      revision,
      source: 'etcd',
    });
    expect(watched.status()).toMatchObject({ rejected: null, revision });
    expect(rejections).toHaveLength(4);
  });

  it('that was deleted keeps its last good value, or takes its default', async () => {
    const { store, rejections } = await startHere();
    await put({ a: 1 });
    const watched = await store.watch(key);
    await deleteKey(server.endpoint, layerKey(key));
    await waitFor(() => rejections.length === 1, { what: 'the rejection' });
    expect(rejections[0]).toMatchObject({ key, layer: null, revision: 0n });
    expect(rejections[0]!.error).toBeInstanceOf(ConfigMissingError);
    expect(watched.value).toEqual({ a: 1 });
    expect(watched.status().rejected).toBe(rejections[0]);

    const other = await startHere();
    await put({ a: 2 });
    await waitFor(() => watched.status().rejected === null, { what: 'the new document' });
    const withDefault = await other.store.watch(key, { default: { a: 0 } });
    const changes = changesOf(withDefault);
    await deleteKey(server.endpoint, layerKey(key));
    await waitFor(() => changes.length === 1, { what: 'the default' });
    expect(changes[0]).toMatchObject({
      value: { a: 0 },
      previous: { a: 2 },
      source: 'default',
      revision: 0n,
    });
    expect(withDefault.status()).toMatchObject({ rejected: null, source: 'default', revision: 0n });
  });

  it('that is not there starts with its default, or not at all until it is there', async () => {
    const { store } = await startHere();
    const withDefault = await store.watch(freshName(), { default: { a: 0 } });
    expect(withDefault.value).toEqual({ a: 0 });
    expect(withDefault.value).toSatisfy(Object.isFrozen);
    expect(withDefault.status()).toMatchObject({ source: 'default', rejected: null });

    const seen: unknown[] = [];
    const errors: unknown[] = [];
    store
      .value$(key)
      .subscribe({ next: (value) => seen.push(value), error: (e) => errors.push(e) });
    await expect(store.watch(key)).rejects.toThrow(
      `The configuration "${key}" has no document in any of its layers ("shared", "service:orders", "zone:eu", "instance:orders-1"), and no default is declared`,
    );
    expect(() => store.follow(key).value).toThrow(ConfigNotReadyError);
    await put({ a: 1 });
    await waitFor(() => seen.length === 1, { what: 'the first value' });
    expect((await store.watch(key)).value).toEqual({ a: 1 });
    expect([seen, errors]).toEqual([[{ a: 1 }], []]);
  });

  it('that is invalid at the start starts with its default and says so, or not at all', async () => {
    const { store, rejections } = await startHere();
    await put({ bolt: 'x' });
    const watched = await store.watch(key, { schema: prices, default: { bolt: 1, nut: 2 } });
    expect(watched.value).toEqual({ bolt: 1, nut: 2 });
    expect(watched.status()).toMatchObject({ source: 'default', rejected: rejections[0] });
    const other = await startHere();
    await expect(other.store.watch(key, { schema: prices })).rejects.toThrow(ConfigInvalidError);
    await put({ bolt: 3 });
    await waitFor(() => watched.value.bolt === 3, { what: 'the good push' });
    // Which may hear of it a moment later than the first.
    const late = () => other.store.watch(key, { schema: prices }).catch(() => null);
    expect((await waitFor(late, { what: 'the other to hear of it' })).value.bolt).toBe(3);
  });

  it('is swapped whole: a transaction over several layers is one change', async () => {
    const { store } = await startHere();
    await put({ from: 0, to: 0 });
    const watched = await store.watch<{ from: number; to: number }>(key);
    const changes = changesOf(watched);
    using etcd = rawEtcd(server.endpoint);
    for (let i = 1; i <= 50; i++) {
      const layers = [layerKey(key), layerKey(key, 'instance:orders-1')];
      const documents = [{ from: i, to: -1 }, { to: i }];
      await etcd.client.kv.txn({
        success: documents.map((document, index) => ({
          request_put: {
            key: Buffer.from(layers[index]!),
            value: Buffer.from(JSON.stringify(document)),
          },
        })),
      });
    }
    await waitFor(() => watched.value.to === 50, { what: 'the last one' });
    expect(changes.map(({ value }) => value)).toEqual(
      Array.from({ length: 50 }, (_, i) => ({ from: i + 1, to: i + 1 })),
    );
  });

  it('tells a hundred changes in their order, each from the one before', async () => {
    const { store } = await startHere();
    await put({ n: 0 });
    const watched = await store.watch<{ n: number }>(key);
    const changes = changesOf(watched);
    const values: number[] = [];
    watched.value$.subscribe(({ n }) => values.push(n));
    for (let n = 1; n <= 100; n++) await put({ n });
    await waitFor(() => watched.value.n === 100, { what: 'the last one' });
    expect(changes.map(({ value, previous }) => [previous!.n, value.n])).toEqual(
      Array.from({ length: 100 }, (_, n) => [n, n + 1]),
    );
    expect(values).toEqual(Array.from({ length: 101 }, (_, n) => n));
    const revisions = changes.map(({ revision }) => revision);
    expect([...revisions].sort((a, b) => Number(a - b))).toEqual(revisions);
  });

  it('that says the same in other words stays the very same object', async () => {
    const { store } = await startHere();
    await put('{"a": {"b": 1}, "c": 2}');
    const watched = await store.watch(key);
    const changes = changesOf(watched);
    const before = watched.value;
    await put('{"c": 2}');
    const last = await put('{"a": {"b": 1}}', 'zone:eu');
    await waitFor(() => watched.status().revision === last, { what: 'the last revision' });
    expect(watched.value).toEqual(before);
    const again = await put('{ "c" : 2.0 }\n');
    const now = watched.value;
    await waitFor(() => watched.status().revision === again, { what: 'the last revision' });
    const once = await put('{ "c" : 2.0 }\n');
    await waitFor(() => watched.status().revision === once, { what: 'the very same document' });
    expect(watched.value).toBe(now);
    expect(changes).toHaveLength(2);
  });

  it('is applied in the turn in which it comes', async () => {
    const { store, followed } = await startHere();
    await put({ bolt: 0 });
    const watched = await store.watch(key, { schema: prices });
    const atNotice: number[] = [];
    followed[0]!.live.subscribe(() => atNotice.push(watched.value.bolt));
    await put({ bolt: 1 });
    await waitFor(() => atNotice.length > 0, { what: 'the view to be told' });
    expect(atNotice).toEqual([1]);
  });

  it('lets no schema that is slow bring back what is over', async () => {
    const { store, rejections } = await startHere();
    const answers = new Map<number, (result: StandardSchemaV1.Result<number>) => void>();
    const schema: StandardSchemaV1<unknown, number> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value) => new Promise((resolve) => answers.set(value as number, resolve)),
      },
    };
    const asked = async (n: number) => {
      await put(n);
      await waitFor(() => answers.has(n), { what: `${n} to be validated` });
    };
    await put(1);
    const watching = store.watch(key, { schema });
    await waitFor(() => answers.has(1), { what: 'the first one' });
    answers.get(1)!({ value: 1 });
    const watched = await watching;
    const changes = changesOf(watched);
    for (const n of [2, 3, 4, 5, 6]) await asked(n);
    // One in its turn, one that is late, one that is bad and late, one that never answers.
    answers.get(2)!({ value: 2 });
    await waitFor(() => watched.value === 2, { what: '2' });
    answers.get(6)!({ value: 6 });
    await waitFor(() => watched.value === 6, { what: '6' });
    answers.get(3)!({ value: 3 });
    answers.get(4)!({ issues: [{ message: 'no' }] });
    await asked(7);
    answers.get(7)!({ value: 7 });
    await waitFor(() => watched.value === 7, { what: '7' });
    expect(changes.map(({ value }) => value)).toEqual([2, 6, 7]);
    expect(rejections).toEqual([]);
    expect(watched.status().rejected).toBeNull();
  });

  it('is told to everybody, although some of them throw', async () => {
    const { store } = await startHere();
    await put({ n: 0 });
    const watched = await store.watch<{ n: number }>(key);
    const fail = () => {
      throw new Error('a subscriber fails');
    };
    const seen: number[] = [];
    for (const stream of [watched.value$, watched.changes$, store.value$(key), store.rejections$]) {
      stream.subscribe(fail);
      stream.subscribe({ next: () => Promise.reject(new Error('a subscriber rejects')) as never });
    }
    watched.value$.subscribe(({ n }) => seen.push(n));
    await put('{');
    await put({ n: 1 });
    await put({ n: 2 });
    await waitFor(() => watched.value.n === 2, { what: 'the last one' });
    expect(seen).toEqual([0, 1, 2]);
  });

  it('is as etcd has it after an outage in which its history was compacted away', async () => {
    const network = await TcpProxy.start({ target: server.endpoint });
    try {
      const { store } = await startStore(network.url);
      await put({ a: 1, b: 1 });
      await put({ b: 2 }, 'zone:eu');
      const watched = await store.watch(key);
      const changes = changesOf(watched);
      await network.refuse();
      await put({ a: 2, b: 1 });
      await put({ a: 3, b: 1 });
      await deleteKey(server.endpoint, layerKey(key, 'zone:eu'));
      await compact(server.endpoint);
      expect(watched.value).toEqual({ a: 1, b: 2 });
      await network.pass();
      await waitFor(() => changes.length > 0, { what: 'the difference' });
      expect(watched.value).toEqual({ a: 3, b: 1 });
      expect(changes).toHaveLength(1);
    } finally {
      await network.close();
    }
  });

  it('may be 1.4 MiB long', async () => {
    const { store } = await startHere();
    const text = 'x'.repeat(1.4 * 1024 * 1024);
    await put({ text });
    const watched = await store.watch<{ text: string }>(key);
    expect(watched.value.text).toBe(text);
    await put({ text: `${text}!` });
    await waitFor(() => watched.value.text.endsWith('!'), { what: 'the change' });
  });

  it('may be YAML or text', async () => {
    const { store } = await startHere();
    await put('# yes\nbolt: 1\n');
    const yaml = await store.watch(key, { schema: prices, format: 'yaml' });
    expect(yaml.value).toEqual({ bolt: 1, nut: 1 });
    await put('bolt: 1\nbolt: 2\n');
    await waitFor(() => yaml.status().rejected, { what: 'the rejection' });
    await put('bolt: 2\n');
    await waitFor(() => yaml.value.bolt === 2, { what: 'the change' });
    const motd = freshName();
    await putKey(server.endpoint, layerKey(motd), 'hello\n');
    await putKey(server.endpoint, layerKey(motd, 'zone:eu'), 'hallo\n');
    expect((await store.watch(motd, { format: 'text' })).value).toBe('hallo\n');
  });

  it('is one for one declaration, and another one is refused', async () => {
    const { store } = await startHere();
    await put({ bolt: 1 });
    const watched = await store.watch(key, { schema: prices });
    expect(await store.watch(key, { schema: prices })).toBe(watched);
    await expect(store.watch(key)).rejects.toThrow(ConfigDeclarationError);
    const errors: unknown[] = [];
    store.value$(key).subscribe({ error: (error) => errors.push(error) });
    store.value$('').subscribe({ error: (error) => errors.push(error) });
    expect(errors).toMatchObject([{ code: 'CONFIG_DECLARATION' }, { code: 'INVALID_CONFIG_NAME' }]);
    expect(store.status()).toMatchObject([{ key, source: 'etcd', synced: true, release: null }]);
    expect(store.status()[0]!.ageMs).toBeLessThan(60_000);
  });

  it('ends with the store, and can be read still', async () => {
    const { store, followed, close } = await startHere();
    await put({ a: 1 });
    const watched = await store.watch(key);
    const ends: string[] = [];
    watched.value$.subscribe({ complete: () => ends.push('value$') });
    watched.changes$.subscribe({ complete: () => ends.push('changes$') });
    store.value$(key).subscribe({ complete: () => ends.push('store.value$') });
    store.rejections$.subscribe({ complete: () => ends.push('rejections$') });
    expect(followed).toHaveLength(1);
    const missing = store.follow(freshName());
    await missing.ready().catch(() => undefined);
    await close();
    expect(ends).toEqual(['value$', 'changes$', 'store.value$', 'rejections$']);
    expect(followed).toEqual([]);
    expect(watched.value).toEqual({ a: 1 });
    expect(() => store.follow(key)).toThrow(ClientClosedError);
    await expect(store.watch(key)).rejects.toThrow(ClientClosedError);
    const late = new Promise<void>((resolve) => store.value$(key).subscribe({ complete: resolve }));
    await within(late, { what: 'a late subscriber to be told' });
  });

  it('is read from etcd by get, with the layers that it is made of', async () => {
    const { store } = await startHere();
    const absent = { key, value: undefined, layers: [] };
    expect(await store.get(key)).toEqual({ ...absent, revision: expect.any(BigInt) });
    expect((await store.get(key, { default: 5 })).value).toBe(5);
    await expect(store.get(key, null as never)).rejects.toThrow('options that are no object');
    const shared = await put({ bolt: 1 });
    const mine = await put({ nut: 3 }, 'instance:orders-1');
    const zone = await put({ nut: 2, zone: 1 }, 'zone:eu');
    const others = await put('{', 'zone:us');
    const entry = await store.get(key, { schema: prices });
    expect(entry).toEqual({
      key,
      value: { bolt: 1, nut: 3 },
      revision: others,
      layers: [
        { layer: 'shared', document: '{"bolt":1}', value: { bolt: 1 }, revision: shared },
        {
          layer: 'zone:eu',
          document: '{"nut":2,"zone":1}',
          value: { nut: 2, zone: 1 },
          revision: zone,
        },
        { layer: 'instance:orders-1', document: '{"nut":3}', value: { nut: 3 }, revision: mine },
      ],
    });
    expect(entry.value).toSatisfy(Object.isFrozen);
    const all = await store.get(key, { layers: 'all' });
    expect(all.layers.map(({ layer, value }) => [layer, value])).toEqual([
      ['shared', { bolt: 1 }],
      ['zone:eu', { nut: 2, zone: 1 }],
      ['zone:us', undefined],
      ['instance:orders-1', { nut: 3 }],
    ]);
    expect(all.revision).toBe(others);
    await put({ bolt: 'x' }, 'zone:eu');
    await expect(store.get(key, { schema: prices })).rejects.toThrow('layer "zone:eu"');
    // As it is declared in this process.
    store.follow(key, { schema: prices, default: { bolt: 0, nut: 0 } });
    await expect(store.get(key)).rejects.toThrow(ConfigInvalidError);
    await put('{', 'zone:eu');
    await expect(store.get(key, { schema: z.unknown() })).rejects.toThrow('is no JSON');
  });
});
