import { createHash } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import {
  ConfigInvalidError,
  ConfigMissingError,
  ConfigUnavailableError,
} from '../../../libs/etcd-coordination/src/config/config.errors.js';
import {
  encodeReleaseRecord,
  type ReleaseRecord,
} from '../../../libs/etcd-coordination/src/config/release/release-record.js';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { deleteKey, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { tempFolder } from '../../support/temp-folder.js';
import { waitFor, within } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import {
  candidateKey,
  changesOf,
  freshName,
  layerKey,
  releaseKey,
  startStore,
  type StoreOptions,
} from './stores.js';

const servers = await serversUnderTest();
const lines = await availableEtcdLines();
const prices = z.object({ bolt: z.number() });

const said = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

describe.each(servers)('a start while $name is away', ({ start }) => {
  let server: ServerUnderTest;
  let network: TcpProxy;
  let snapshot: string;
  let key: string;

  beforeAll(async () => {
    server = await start();
    network = await TcpProxy.start({ target: server.endpoint });
  });
  afterAll(async () => {
    await network?.close();
    await server?.stop();
  });
  beforeEach(() => {
    snapshot = join(tempFolder('start'), 'config.snapshot');
    key = freshName();
  });
  afterEach(() => network.pass());

  const put = (value: unknown, config = key, layer: Parameters<typeof layerKey>[1] = 'shared') =>
    putKey(server.endpoint, layerKey(config, layer), said(value));
  const startHere = (options: StoreOptions = {}) =>
    startStore(network.url, { snapshot, ...options });

  /** A process that saw these and ended. */
  async function ran(values: Record<string, unknown>, options?: StoreOptions): Promise<void> {
    for (const [config, value] of Object.entries(values)) await put(value, config);
    const { store, close } = await startHere(options);
    for (const config of Object.keys(values)) await store.watch(config);
    await close();
  }

  it('begins with the last good documents, and goes on with what has changed when etcd is back', async () => {
    const [same, changed] = [freshName(), freshName()];
    await ran({ [same]: { a: 1 }, [changed]: { a: 1, b: 1 } });
    await network.refuse();
    const { store, rejections } = await startHere();
    const stays = await within(store.watch(same), { what: 'the snapshot', timeoutMs: 1000 });
    const moves = await store.watch(changed);
    expect([stays.value, moves.value]).toEqual([{ a: 1 }, { a: 1, b: 1 }]);
    expect(stays.value).toSatisfy(Object.isFrozen);
    expect(stays.status()).toMatchObject({ source: 'snapshot', synced: false, rejected: null });
    expect(stays.status().ageMs).toBeGreaterThan(0);
    expect(stays.status().ageMs).toBeLessThan(60_000);
    expect(stays.present()).toMatchObject({ source: 'snapshot', previous: undefined });
    const [noChanges, changes] = [changesOf(stays), changesOf(moves)];
    const before = stays.value;
    const revision = await put({ a: 1, b: 2 }, changed);
    const { ageMs } = stays.status();
    await network.pass();
    await waitFor(() => stays.status().synced && moves.status().synced, { what: 'etcd' });
    expect(changes).toEqual([
      {
        key: changed,
        value: { a: 1, b: 2 },
        previous: { a: 1, b: 1 },
        differences: [{ path: ['b'], type: 'changed', before: 1, after: 2 }],
        revision,
        source: 'etcd',
      },
    ]);
    expect(noChanges).toEqual([]);
    expect(stays.value).toBe(before);
    expect(stays.status()).toMatchObject({ source: 'etcd', rejected: null });
    expect(rejections).toEqual([]);
    await put({ a: 2 }, same);
    await waitFor(() => noChanges.length === 1, { what: 'the next change' });
    await waitFor(() => stays.status().ageMs < ageMs, { what: 'its age to be that of the watch' });
  });

  it('begins with the default for want of a snapshot, and goes on when etcd is back', async () => {
    await put({ a: 1 });
    await network.refuse();
    const { store } = await startHere();
    const watched = await store.watch(key, { default: { a: 0 } });
    expect(watched.value).toEqual({ a: 0 });
    expect(watched.status()).toMatchObject({ source: 'default', synced: false });
    await network.pass();
    await waitFor(() => watched.status().source === 'etcd', { what: 'etcd' });
    expect(watched.value).toEqual({ a: 1 });
  });

  it('fails for want of both, naming what to do, and the next attempt succeeds', async () => {
    await put({ a: 1 });
    await network.refuse();
    const { store } = await startHere();
    const refused = store.watch(key);
    await expect(refused).rejects.toThrow(ConfigUnavailableError);
    await expect(refused).rejects.toThrow(
      `The configuration "${key}" cannot be read: etcd has not been reached since the start, no snapshot holds it and no default is declared. Bring etcd back;`,
    );
    await network.pass();
    await waitFor(() => store.watch(key), { what: 'etcd' });
  });

  it('remembers that the default was the value', async () => {
    const declared = { default: { a: 0 } };
    const first = await startHere();
    await first.store.watch(key, declared);
    await first.close();
    await network.refuse();
    const { store } = await startHere();
    expect((await store.watch(key, declared)).value).toEqual({ a: 0 });
  });

  it('does so too when etcd accepts the connection and then says nothing', async () => {
    await ran({ [key]: { a: 1 } });
    const timeouts = { connect: 200, read: 300 };
    const { store } = await startHere({ connection: { timeouts } });
    network.blackhole();
    const watched = await store.watch(key);
    expect(watched.value).toEqual({ a: 1 });
    expect(watched.status()).toMatchObject({ source: 'snapshot', synced: false });
    await put({ a: 2 });
    await network.pass();
    await waitFor(() => watched.status().source === 'etcd', { what: 'etcd' });
    expect(watched.value).toEqual({ a: 2 });
  });

  it('keeps the value of the snapshot if etcd has only something bad, or nothing any more', async () => {
    const gone = freshName();
    await ran({ [key]: { bolt: 1 }, [gone]: { bolt: 2 } });
    await network.refuse();
    const { store, rejections } = await startHere();
    const [watched, other] = [
      await store.watch(key, { schema: prices }),
      await store.watch(gone, { schema: prices }),
    ];
    await put({ bolt: 'x' });
    await deleteKey(server.endpoint, layerKey(gone));
    await network.pass();
    await waitFor(() => rejections.length === 2, { what: 'both rejections' });
    expect([watched.value, other.value]).toEqual([{ bolt: 1 }, { bolt: 2 }]);
    expect(watched.status()).toMatchObject({ source: 'snapshot', synced: true });
    expect(watched.status().rejected?.error).toBeInstanceOf(ConfigInvalidError);
    expect(other.status().rejected?.error).toBeInstanceOf(ConfigMissingError);
  });

  it('is as well helped while etcd is there, if it has only something bad', async () => {
    await ran({ [key]: { bolt: 1 } });
    const bad = await put({ bolt: 'x' });
    const { store, close } = await startHere();
    const watched = await store.watch(key, { schema: prices, default: { bolt: 0 } });
    expect(watched.value).toEqual({ bolt: 1 });
    expect(watched.status()).toMatchObject({ source: 'snapshot', rejected: { revision: bad } });
    await close();
    // What is bad is not kept, nor what is good forgotten.
    const next = await startHere();
    expect((await next.store.watch(key, { schema: prices })).value).toEqual({ bolt: 1 });
    // But what was deleted is over.
    await deleteKey(server.endpoint, layerKey(key));
    const last = await startHere({ snapshot: `${snapshot}.2` });
    writeFileSync(`${snapshot}.3`, readFileSync(snapshot));
    const knowing = await startHere({ snapshot: `${snapshot}.3` });
    await expect(knowing.store.watch(key)).rejects.toThrow(ConfigMissingError);
    await expect(last.store.watch(key)).rejects.toThrow(ConfigMissingError);
  });

  it('takes nothing from the snapshot that a new schema refuses', async () => {
    await ran({ [key]: { bolt: 'free' } });
    await network.refuse();
    const { store } = await startHere();
    await expect(store.watch(key, { schema: prices })).rejects.toThrow(ConfigUnavailableError);
    const other = await startHere({ snapshot: `${snapshot}.other` });
    const watched = await other.store.watch(key, { schema: prices, default: { bolt: 1 } });
    expect(watched.value).toEqual({ bolt: 1 });
  });

  it('reads an encrypted snapshot', async () => {
    const encryptionKey = randomBytes(32);
    await ran({ [key]: { password: 'hunter2' } }, { encryptionKey });
    expect(readFileSync(snapshot).includes('hunter2')).toBe(false);
    await network.refuse();
    const { store } = await startHere({ encryptionKey });
    expect((await store.watch(key)).value).toEqual({ password: 'hunter2' });
  });

  it('passes over a snapshot that is damaged, and says so', async () => {
    await ran({ [key]: { a: 1 } });
    const data = readFileSync(snapshot);
    data[data.length - 5]! ^= 4;
    writeFileSync(snapshot, data);
    await network.refuse();
    const { store } = await startHere();
    expect(store.snapshotError).toMatchObject({ reason: 'corrupt' });
    await expect(store.watch(key)).rejects.toThrow(ConfigUnavailableError);
    await network.pass();
    await waitFor(() => store.watch(key), { what: 'etcd' });
    await waitFor(() => store.snapshotError === null, { what: 'the snapshot to be written anew' });
  });

  it('is not made at all with the snapshot of another connection of the process', async () => {
    await startHere();
    await expect(startHere()).rejects.toMatchObject({ code: 'SNAPSHOT_IN_USE' });
  });

  it('of an instance in a canary begins with what everybody has', async () => {
    await put({ a: 1 });
    const first = await startHere();
    const watched = await first.store.watch<{ a: number }>(key);
    await putKey(server.endpoint, candidateKey(key), '{"a": 2}');
    await putKey(
      server.endpoint,
      releaseKey(key),
      encodeReleaseRecord(release('r1', ['orders-1'], '{"a": 2}')).toString(),
    );
    await waitFor(() => watched.value.a === 2, { what: 'the canary' });
    const [followed] = first.followed;
    expect(followed!.candidateOutcome()).toEqual({
      releaseId: 'r1',
      state: 'applied',
      reason: null,
    });
    expect(watched.status()).toMatchObject({
      release: { id: 'r1', isCanary: true },
      rejected: null,
    });
    await first.close();
    await network.refuse();
    const second = await startHere();
    expect((await second.store.watch(key)).value).toEqual({ a: 1 });
  });

  it('takes a release back, refuses a bad one, and goes on beside it', async () => {
    await put({ bolt: 1 });
    const { store, followed, rejections } = await startHere();
    const watched = await store.watch(key, { schema: prices });
    const changes = changesOf(watched);
    const record = (targets: string[], document: string) =>
      putKey(
        server.endpoint,
        releaseKey(key),
        encodeReleaseRecord(release('r1', targets, document)).toString(),
      );
    const outcomes: unknown[] = [];
    const config = followed[0]!;
    config.onCandidateOutcome(() => outcomes.push(config.candidateOutcome()?.state ?? null));
    await putKey(server.endpoint, candidateKey(key), '{"bolt": "x"}');
    await record([], '{"bolt": "x"}');
    await waitFor(() => watched.status().release, { what: 'the release' });
    expect(watched.status().release).toEqual({ id: 'r1', isCanary: false });
    expect(outcomes).toEqual([]);
    await record(['orders-1'], '{"bolt": "x"}');
    await waitFor(() => outcomes.length === 1, { what: 'its document to be tried' });
    expect(config.candidateOutcome()).toMatchObject({ releaseId: 'r1', state: 'rejected' });
    expect(config.candidateOutcome()?.reason).toContain('at bolt: Invalid input');
    expect(rejections).toHaveLength(1);
    expect(watched.status()).toMatchObject({ rejected: rejections[0], source: 'etcd' });
    expect(watched.value).toEqual({ bolt: 1 });
    // The layers go on meanwhile.
    await put({ bolt: 2 });
    await waitFor(() => watched.value.bolt === 2, { what: 'the push' });
    expect(config.candidateOutcome()?.state).toBe('rejected');
    await putKey(server.endpoint, candidateKey(key), '{"bolt": 3}');
    await waitFor(() => config.candidateOutcome()?.reason?.includes('overwritten by others'), {
      what: 'what is not of the release to be refused',
    });
    expect(watched.value.bolt).toBe(2);
    await record(['orders-1'], '{"bolt": 3}');
    await waitFor(() => watched.value.bolt === 3, { what: 'the better one' });
    await deleteKey(server.endpoint, candidateKey(key));
    await waitFor(() => watched.value.bolt === 2, { what: 'the layers' });
    await record([], '{"bolt": 3}');
    await waitFor(() => outcomes.at(-1) === null, { what: 'the release to be over' });
    expect(watched.status()).toMatchObject({ rejected: null });
    expect(changes.map(({ value }) => value.bolt)).toEqual([2, 3, 2]);
  });
});

/** A release under way, to these instances. */
function release(id: string, targets: readonly string[], document: string): ReleaseRecord {
  return {
    sha256: createHash('sha256').update(document).digest('hex'),
    ...{ id, state: 'rolling', layer: 'shared', format: 'json', step: 1, targets, base: '0' },
    plan: { steps: [100], labels: null, observeMs: 1000, applyTimeoutMs: 1000 },
    ...{ author: 'a', reason: null, ended: null, mark: 'm', history: [] },
  };
}

describe('a snapshot whose revision etcd does not know', () => {
  let warnings: string[];
  beforeEach(() => {
    warnings = [];
    vi.spyOn(Logger.prototype, 'warn').mockImplementation((text) => void warnings.push(`${text}`));
  });
  afterEach(() => void vi.restoreAllMocks());

  it('of another cluster gives way to what this one holds', async () => {
    const snapshot = join(tempFolder('other'), 'config.snapshot');
    const key = freshName();
    const first = await EmbeddedEtcd.start({ logger: false });
    for (let i = 0; i < 20; i++) await putKey(first.endpoint, layerKey(key), `{"a": ${i}}`);
    const before = await startStore(first.endpoint, { snapshot });
    await before.store.watch(key);
    await before.close();
    await first.close();

    const second = await EmbeddedEtcd.start({ logger: false });
    const network = await TcpProxy.start({ target: second.endpoint });
    try {
      const revision = await putKey(second.endpoint, layerKey(key), '{"a": "other"}');
      await network.refuse();
      const { store } = await startStore(network.url, { snapshot });
      const watched = await store.watch(key);
      expect(watched.value).toEqual({ a: 19 });
      await network.pass();
      await waitFor(() => watched.status().source === 'etcd', { what: 'etcd' });
      expect(watched.value).toEqual({ a: 'other' });
      expect(watched.status().revision).toBe(revision);
      expect(warnings).toContainEqual(
        expect.stringMatching(
          /is read from the snapshot of 20.+ \(\d s ago\): etcd has not been reached/,
        ),
      );
      expect(warnings).toContain(
        `The snapshot of the configuration "${key}" is of another etcd cluster; what this one holds is taken.`,
      );
    } finally {
      await network.close();
      await second.close();
    }
  });

  it.each(lines)(
    'gives way to a database of etcd %s that was restored to before it',
    async (line) => {
      const dataDir = join(tempFolder('restored'), 'data');
      const snapshot = join(tempFolder('restored'), 'config.snapshot');
      const server = await EtcdServer.start({ line, dataDir });
      const { endpoint } = server;
      const [key, since] = [freshName(), freshName()];
      try {
        await putKey(endpoint, layerKey(key), '{"a": "in the backup"}');
        await server.kill();
        await cp(dataDir, `${dataDir}.backup`, { recursive: true });
        await server.restart();
        for (let i = 0; i < 20; i++) await putKey(endpoint, layerKey(key), `{"a": ${i}}`);
        await putKey(endpoint, layerKey(since), '{"b": 1}');
        const running = await startStore(endpoint, { snapshot: `${snapshot}.running` });
        const live = await running.store.watch(key);
        const first = await startStore(endpoint, { snapshot });
        await Promise.all([key, since].map((config) => first.store.watch(config)));
        expect(live.value).toEqual({ a: 19 });
        await first.close();

        await server.kill();
        await rm(dataDir, { recursive: true });
        await cp(`${dataDir}.backup`, dataDir, { recursive: true });
        const { store } = await startStore(endpoint, { snapshot });
        const watched = await store.watch(key);
        const lost = await store.watch(since);
        expect([watched.value, watched.status().source]).toEqual([{ a: 19 }, 'snapshot']);
        await server.restart();
        for (const one of [watched, live]) {
          await waitFor(() => (one.value as { a: unknown }).a === 'in the backup', {
            what: 'what was restored',
          });
        }
        await waitFor(() => lost.status().rejected, { what: 'what was lost' });
        for (const config of [key, since]) {
          expect(warnings).toContainEqual(
            expect.stringMatching(
              `The snapshot of the configuration "${config}" is of revision \\d+, and etcd, at \\d+, knows nothing of it: its database was restored`,
            ),
          );
        }
        expect(lost.value).toEqual({ b: 1 });
        await putKey(endpoint, layerKey(key), '{"a": "since"}');
        for (const one of [watched, live]) {
          await waitFor(() => (one.value as { a: unknown }).a === 'since', {
            what: 'the next change',
          });
        }
        await running.close();
      } finally {
        await server.kill();
      }
    },
  );
});
