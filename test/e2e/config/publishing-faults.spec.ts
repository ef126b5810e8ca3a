import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import {
  ConfigConflictError,
  ConfigTooLargeError,
} from '../../../libs/etcd-coordination/src/config/config.errors.js';
import type {
  ConfigPublisher,
  ConfigRevision,
} from '../../../libs/etcd-coordination/src/config/config-publisher.js';
import {
  currentRevision,
  deleteKey,
  enableAuth,
  keysUnder,
  putKey,
} from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { WorkerProcess } from '../../support/worker-process.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import {
  beforeEachTxn,
  freshName,
  isWrite,
  NAMESPACE,
  sharedKey,
  startPublisher,
} from './publishers.js';

const HOW = ['unavailable', 'reset', 'cut', 'silence'] as const;
const MIB = 1024 * 1024;

describe.each(await serversUnderTest())('publishing under faults, $name', ({ start }) => {
  let server: ServerUnderTest;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    server = await start();
    proxy = await GrpcProxy.start({ target: server.endpoint });
  });
  afterEach(() => proxy.clearFaults());
  afterAll(async () => {
    await proxy?.close();
    await server?.stop();
  });

  const connection = { timeouts: { write: 1500, read: 1500 } };
  const document = async (name: string) =>
    (await keysUnder(server.endpoint, sharedKey(name)))[0]?.value;
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => expect.unreachable('it went through'),
      (error: unknown) => error as any,
    );

  /** A publisher behind the proxy, and what arms a fault right before its next write of a version. */
  async function startBehindProxy() {
    const { publisher, client } = await startPublisher(proxy.url, { connection });
    let arm: (() => void) | null = null;
    beforeEachTxn(client, (request) => {
      if (!isWrite(request)) return;
      arm?.();
      arm = null;
    });
    return { publisher, client, atWrite: (fault: () => void) => void (arm = fault) };
  }

  it.each(HOW)('writes once if the answer to a write is lost (%s)', async (how) => {
    const { publisher, atWrite } = await startBehindProxy();
    const name = freshName();
    await publisher.set(name, 1);
    for (const act of [
      () => publisher.set(name, 2),
      () => publisher.rollback(name, { to: 1 }),
      () => publisher.delete(name),
      () => publisher.set(name, 3, { expectedRevision: 0n }),
    ]) {
      const before = await publisher.history(name);
      atWrite(() => proxy.loseAnswer('KV/Txn', { how }));
      const { sequence, revision } = await act();
      const history = await publisher.history(name);
      expect(history).toHaveLength(before.length + 1);
      expect(history[0]).toMatchObject({ sequence, revision, current: true });
    }
    expect(await document(name)).toBe('3');
  });

  it('writes once if the request is lost', async () => {
    const { publisher, atWrite } = await startBehindProxy();
    const name = freshName();
    for (let n = 1; n <= 3; n++) {
      atWrite(() => proxy.fail('KV/Txn'));
      expect(await publisher.set(name, n)).toMatchObject({ sequence: n });
    }
    expect(await document(name)).toBe('3');
  });

  it('archives all the same if the answer to that is lost', async () => {
    const { publisher, client } = await startPublisher(proxy.url, { connection });
    const name = freshName();
    await publisher.set(name, 1);
    let losing = false;
    beforeEachTxn(client, ({ success }) => {
      losing = (success ?? []).some((operation) => operation.request_put) && !losing;
      if (losing) proxy.loseAnswer('KV/Txn');
    });
    await publisher.set(name, 2);
    await putKey(server.endpoint, sharedKey(name), '3');
    await publisher.set(name, 4);
    expect((await publisher.history(name)).map((v) => v.document)).toEqual(['4', '3', '2', '1']);
  });

  it('says that it does not know if every answer is lost, and no conflict', async () => {
    const { publisher, atWrite } = await startBehindProxy();
    const name = freshName();
    await publisher.set(name, 1);
    atWrite(() => proxy.loseAnswer('KV/Txn', { times: 3 }));
    const lost = await refusal(publisher.set(name, 2));
    expect(lost).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(lost.message).toContain(name);
    expect(await document(name)).toBe('2');
    atWrite(() => proxy.fail('KV/Txn', { times: 3 }));
    expect(await refusal(publisher.set(name, 3))).toBeInstanceOf(WriteOutcomeUnknownError);
    expect(await document(name)).toBe('2');
    expect(await publisher.set(name, 4)).toMatchObject({ sequence: 3 });
  });

  it('does not take the write of another for its own', async () => {
    const { client, publisher } = await startPublisher(proxy.url, { connection });
    const { publisher: other } = await startPublisher(server.endpoint);
    const name = freshName();
    await publisher.set(name, 1);
    let writes = 0;
    beforeEachTxn(client, async (request) => {
      if (!isWrite(request)) return;
      // The request is lost, and before it is sent again another one writes.
      if ((writes += 1) === 1) proxy.fail('KV/Txn');
      else await other.set(name, 'other', { author: 'ada' });
    });
    const error = await refusal(publisher.set(name, 'own'));
    expect(error).toMatchObject({ code: 'CONFIG_CONFLICT', changedBy: 'ada' });
    expect(writes).toBe(2);
    expect((await other.history(name)).map((v) => v.document)).toEqual(['"other"', '1']);
  });

  it('does not claim a conflict if others have written so much since that its mark is gone', async () => {
    const { client, publisher } = await startPublisher(proxy.url, { connection });
    const { publisher: other } = await startPublisher(server.endpoint, { historyLimit: 1 });
    const name = freshName();
    await publisher.set(name, 1);
    let writes = 0;
    beforeEachTxn(client, async (request) => {
      if (!isWrite(request)) return;
      writes += 1;
      if (writes === 1) proxy.loseAnswer('KV/Txn');
      else await other.set(name, 'other');
    });
    expect(await refusal(publisher.set(name, 2))).toBeInstanceOf(WriteOutcomeUnknownError);
  });

  it('refuses whoever comes second, between reading, archiving and writing', async () => {
    const name = freshName();
    const { publisher: other } = await startPublisher(server.endpoint);
    const { publisher: frugal } = await startPublisher(server.endpoint, { historyLimit: 1 });
    await other.set(name, 0);
    const setAndDelete = async (publisher: ConfigPublisher, author: string) => {
      await publisher.set(name, 'theirs');
      await publisher.delete(name, { author });
    };
    const meddlers: [string, () => Promise<unknown>, object][] = [
      ['set', () => other.set(name, 'theirs', { author: 'ada' }), { changedBy: 'ada' }],
      ['put', () => putKey(server.endpoint, sharedKey(name), '"theirs"'), { changedBy: null }],
      ['delete', () => other.delete(name, { author: 'ada' }), { deleted: true, changedBy: 'ada' }],
      // The layer is as it was then, and its history is not.
      ['both', () => setAndDelete(other, 'bob'), { deleted: true, changedBy: 'bob' }],
      ['pruned', () => setAndDelete(frugal, 'eve'), { deleted: true, changedBy: 'eve' }],
      ['create', () => other.set(name, 'theirs', { author: 'bob' }), { changedBy: 'bob' }],
      ['del', () => deleteKey(server.endpoint, sharedKey(name)), { deleted: true }],
    ];
    for (const [, meddle, expected] of meddlers) {
      const { publisher, client } = await startPublisher(server.endpoint);
      let txns = 0;
      beforeEachTxn(client, async () => {
        // The first one reads; the layer is archived or, if nothing stands, written by the next.
        if ((txns += 1) === 2) await meddle();
      });
      const error = await refusal(publisher.set(name, 'ours'));
      expect(error).toBeInstanceOf(ConfigConflictError);
      expect(error).toMatchObject(expected);
    }
  });

  it('lets exactly one of eight win each time, in one chain without gaps', async () => {
    const name = freshName();
    const writers = await Promise.all(
      Array.from({ length: 8 }, () => startPublisher(server.endpoint)),
    );
    const won: ConfigRevision[] = [];
    const written = new Map<number, string>();
    let refused = 0;
    await Promise.all(
      writers.map(async ({ publisher }, writer) => {
        for (let n = 0; n < 12; n++) {
          const value = `${writer}/${n}`;
          try {
            const revision = await publisher.set(name, value, { author: `writer-${writer}` });
            won.push(revision);
            written.set(revision.sequence, value);
          } catch (error) {
            expect(error).toBeInstanceOf(ConfigConflictError);
            expect((error as ConfigConflictError).changedBy).toMatch(/^writer-/);
            refused += 1;
          }
        }
      }),
    );
    expect(refused).toBeGreaterThan(0);
    won.sort((a, b) => a.sequence - b.sequence);
    expect(won.map(({ sequence }) => sequence)).toEqual(won.map((_, index) => index + 1));
    const history = (await writers[0]!.publisher.history(name)).toReversed();
    const kept = won.slice(-50);
    expect(history.map(({ sequence, revision }) => ({ sequence, revision }))).toEqual(
      kept.map(({ sequence, revision }) => ({ sequence, revision })),
    );
    expect(history.map((v) => v.document)).toEqual(
      kept.map(({ sequence }) => JSON.stringify(written.get(sequence))),
    );
    expect(history.map((v) => v.author)).toEqual(
      kept.map(({ sequence }) => `writer-${written.get(sequence)!.split('/')[0]}`),
    );
  });

  it('enters once what a stranger wrote, though several find it at the same time', async () => {
    const name = freshName();
    const writers = await Promise.all(
      Array.from({ length: 4 }, () => startPublisher(server.endpoint)),
    );
    await putKey(server.endpoint, sharedKey(name), '"by hand"');
    const results = await Promise.allSettled(
      writers.map(({ publisher }, n) => publisher.set(name, n)),
    );
    const wins = results.filter(({ status }) => status === 'fulfilled');
    expect(wins.length).toBeGreaterThan(0);
    const history = await writers[0]!.publisher.history(name);
    expect(history).toHaveLength(1 + wins.length);
    expect(history.filter(({ author }) => author === null)).toMatchObject([
      { sequence: 1, document: '"by hand"' },
    ]);
  });

  it('takes 1.4 MiB, replaces it, lists it and sets it back, and refuses 1.6 MiB', async () => {
    const { publisher, client } = await startPublisher(server.endpoint);
    const name = freshName();
    const [a, b] = ['a', 'b'].map((char) => char.repeat(1.4 * MIB));
    await publisher.set(name, a, { format: 'text' });
    const { revision } = await publisher.set(name, b);
    await publisher.rollback(name, { to: 1 });
    expect(await document(name)).toBe(a);
    const history = await publisher.history(name);
    expect(history.map((v) => v.document === a)).toEqual([true, false, true]);
    expect(history[1]!.document).toBe(b);

    const before = await currentRevision(server.endpoint);
    const sent = client.requestsSent;
    for (const act of [
      () => publisher.set(name, 'c'.repeat(1.6 * MIB)),
      () => publisher.set(name, 'c'.repeat(1.6 * MIB), { format: 'yaml' }),
      () => publisher.setDocument(name, 'c'.repeat(1.6 * MIB), { expectedRevision: revision }),
    ]) {
      const error = await refusal(act());
      expect(error).toBeInstanceOf(ConfigTooLargeError);
      expect(error.message).toContain(name);
      expect(error.message).toMatch(/has 16777\d\d bytes.*1556480/);
    }
    expect(client.requestsSent).toBe(sent);
    expect(await currentRevision(server.endpoint)).toBe(before);
  });

  it('refuses to lose what a stranger wrote that is too large for the history', async () => {
    const { publisher } = await startPublisher(server.endpoint);
    const name = freshName();
    const key = sharedKey(name);
    const largest = 1.5 * MIB - key.length - 60;
    await putKey(server.endpoint, key, 'x'.repeat(largest));
    const before = await currentRevision(server.endpoint);
    const error = await refusal(publisher.set(name, 1));
    expect(error).toBeInstanceOf(ConfigTooLargeError);
    expect(error.message).toMatch(/history/);
    expect(await currentRevision(server.endpoint)).toBe(before);
    await deleteKey(server.endpoint, key);
    await publisher.set(name, 1);
  });

  it('has nothing wrong after it was killed anywhere', async () => {
    const name = freshName();
    const { publisher } = await startPublisher(server.endpoint);
    let sequence = 0;
    for (let round = 1; round <= 3; round++) {
      const worker = await WorkerProcess.start(new URL('./setter.worker.ts', import.meta.url), {
        args: [server.endpoint, NAMESPACE, name],
      });
      await worker.message(({ n }) => n === 3 * round);
      await worker.kill();
      const last = Math.max(...worker.messages.map(({ n }) => Number(n)));
      const history = await publisher.history(name);
      sequence += last;
      // What it was told stands; a write of which it was not told may stand too.
      expect([sequence, sequence + 1]).toContain(history[0]!.sequence);
      sequence = history[0]!.sequence;
      expect(history.every((v) => v.document !== null && v.author === 'setter')).toBe(true);
      expect(history.map((v) => v.sequence)).toEqual(
        Array.from({ length: history.length }, (_, index) => sequence - index),
      );
    }
  });

  it('goes on where another one died between archiving and writing', async () => {
    const name = freshName();
    const { publisher: dying, client } = await startPublisher(server.endpoint);
    const { publisher } = await startPublisher(server.endpoint);
    await publisher.set(name, 1);
    beforeEachTxn(client, (request) => {
      if (isWrite(request)) throw new Error('killed');
    });
    await expect(dying.set(name, 2)).rejects.toThrow('killed');
    const standing = { sequence: 1, document: '1', current: true, author: 'orders-1' };
    expect(await publisher.history(name)).toMatchObject([standing]);
    await putKey(server.endpoint, sharedKey(name), '"by hand"');
    await expect(dying.set(name, 2)).rejects.toThrow('killed');
    expect(await publisher.history(name)).toMatchObject([
      { sequence: 2, document: '"by hand"', current: true, author: null },
      { ...standing, current: false },
    ]);
    await deleteKey(server.endpoint, sharedKey(name));
    await expect(dying.set(name, 2)).rejects.toThrow('killed');
    await publisher.set(name, 2);
    expect((await publisher.history(name)).map((v) => v.document)).toEqual([
      ...['2', null, '"by hand"', '1'],
    ]);
  });
});

const lines = await availableEtcdLines();

describe.each(lines)('publishing to an etcd that refuses, %s', (line) => {
  let server: EtcdServer | undefined;
  beforeEach(() => (server = undefined));
  afterEach(() => server?.kill());

  it('changes nothing if the database is full, and says so', async () => {
    server = await EtcdServer.start({ line, extraArgs: ['--quota-backend-bytes', '2097152'] });
    const { publisher } = await startPublisher(server.endpoint);
    await publisher.set('small', 1);
    let error: unknown;
    for (let n = 0; n < 10 && !error; n++) {
      error = await publisher.set('large', 'x'.repeat(MIB / 2) + n).then(
        () => undefined,
        (e: unknown) => e,
      );
    }
    expect(error).toBeInstanceOf(EtcdNoSpaceError);
    const before = await currentRevision(server.endpoint);
    await expect(publisher.set('small', 2)).rejects.toBeInstanceOf(EtcdNoSpaceError);
    await expect(publisher.delete('small')).rejects.toBeInstanceOf(EtcdNoSpaceError);
    expect(await currentRevision(server.endpoint)).toBe(before);
    expect(await publisher.history('small')).toMatchObject([{ document: '1', current: true }]);
  });

  it('changes nothing if the user may not, and names the user', async () => {
    server = await EtcdServer.start({ line });
    await enableAuth(server.endpoint, 'secret', [
      { name: 'reader', password: 'pass', prefix: `${NAMESPACE}/config/mine/` },
    ]);
    const auth = { username: 'reader', password: 'pass' };
    const { publisher } = await startPublisher(server.endpoint, { connection: { auth } });
    await publisher.set('mine', 1);
    await publisher.set('mine', 2);
    for (const act of [
      () => publisher.set('other', 1),
      () => publisher.delete('other'),
      () => publisher.rollback('other', { to: 1 }),
      () => publisher.history('other'),
    ]) {
      const error = await act().catch((e: unknown) => e);
      expect(error).toBeInstanceOf(EtcdPermissionDeniedError);
      expect((error as Error).message).toContain('"reader"');
    }
  });

  it('says that etcd is away, and not that the outcome is unknown, if it never was asked', async () => {
    server = await EtcdServer.start({ line });
    const { publisher } = await startPublisher(server.endpoint, {
      connection: { timeouts: { read: 500, write: 500 } },
    });
    await publisher.set('a', 1);
    await server.kill();
    await expect(publisher.set('a', 2)).rejects.toBeInstanceOf(EtcdUnavailableError);
  });
});
