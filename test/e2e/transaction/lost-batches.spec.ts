import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import {
  EtcdTimeoutError,
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { outcomes, startBatcher, valueAt, versionOf } from './batchers.js';
import { freshPrefix, standing } from './transactions.js';

const HOW = ['unavailable', 'reset', 'cut', 'silence'] as const;

describe.each(await serversUnderTest())('lost answers of batches, $name', ({ start }) => {
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

  const behindProxy = () => startBatcher(proxy.url, {}, { timeouts: { write: 1200, read: 1200 } });

  it.each(HOW)('are settled: each write is applied once, and says when (%s)', async (how) => {
    const { batcher } = await behindProxy();
    const prefix = freshPrefix();
    await batcher.put(`${prefix}0`, 'before');
    proxy.loseAnswer('KV/Txn', { how });
    const names = Array.from({ length: 20 }, (_, n) => `${prefix}${n}`);
    const results = await Promise.all(names.map((name) => batcher.put(name, `of ${name}`)));
    for (const [n, name] of names.entries()) {
      expect(await valueAt(server.endpoint, name, results[n]!.revision)).toBe(`of ${name}`);
      expect(await versionOf(server.endpoint, name)).toBe(n === 0 ? 2 : 1);
    }
    proxy.loseAnswer('KV/Txn', { how });
    const { revision } = await batcher.delete(names[3]!);
    expect(await valueAt(server.endpoint, names[3]!, revision)).toBeNull();
  });

  it('are sent again if the request was lost, and only then', async () => {
    const { batcher } = await behindProxy();
    const prefix = freshPrefix();
    proxy.fail('KV/Txn');
    await Promise.all([1, 2, 3].map((n) => batcher.put(`${prefix}${n}`, 'x')));
    for (const n of [1, 2, 3]) expect(await versionOf(server.endpoint, prefix + n)).toBe(1);
  });

  it('says of each that nobody knows, if etcd stays away', async () => {
    const { batcher } = await behindProxy();
    const prefix = freshPrefix();
    proxy.loseAnswer('KV/Txn', { times: 1000 });
    const told = await outcomes([1, 2].map((n) => batcher.put(`${prefix}${n}`, 'x')));
    for (const [n, one] of told.entries()) {
      expect(one).toBeInstanceOf(WriteOutcomeUnknownError);
      expect((one as Error).message).toContain(`"${prefix}${n + 1}"`);
    }
    // They may be applied yet, for all that is known here.
    expect(batcher.stats.pending).toBe(2);
    proxy.clearFaults();
    await waitFor(() => batcher.stats.pending === 0, { what: 'the marks to be changed' });
  });

  /** Holds back the next transaction that is not to be repeated, whose outcome nobody knows then. */
  function holdBack(client: EtcdClient) {
    const txn = client.txn.bind(client);
    let deliver: (() => ReturnType<typeof txn>) | null = null;
    let isAway = true;
    client.txn = async (request, settings) => {
      if (settings?.repeatable === false && !deliver) {
        deliver = () => txn(request, settings);
        throw new WriteOutcomeUnknownError('KV.txn', 'the test holds it back');
      }
      if (isAway) throw new EtcdUnavailableError('KV.txn', 'the test lets nothing through');
      return txn(request, settings);
    };
    onTestFinished(() => void (client.txn = txn));
    return { deliver: () => deliver!(), comeBack: () => void (isAway = false) };
  }

  it('lets no write of a key overtake one that may be under way', async () => {
    const { batcher, client } = await behindProxy();
    const key = `${freshPrefix()}key`;
    await batcher.put(key, 'before');
    const held = holdBack(client);
    const first = await batcher.put(key, 'first').catch((error: unknown) => error);
    expect(first).toBeInstanceOf(WriteOutcomeUnknownError);
    const second = batcher.put(key, 'second');
    held.comeBack();
    await second;
    // It arrives long after this process has given it up.
    expect(await held.deliver()).toMatchObject({ succeeded: false });
    expect(await standing(server.endpoint, key)).toEqual({ [key]: 'second' });
    expect(await versionOf(server.endpoint, key)).toBe(2);
  });

  it('lets nobody wait for ever behind a write that nobody knows of', async () => {
    const { batcher, client } = await behindProxy();
    const key = `${freshPrefix()}key`;
    const held = holdBack(client);
    await batcher.put(key, 'first').catch(() => undefined);
    const behind = await batcher.put(key, 'second').catch((error: unknown) => error);
    expect(behind).toBeInstanceOf(EtcdTimeoutError);
    expect((behind as Error).message).toContain(`"${key}"`);
    // What it waited for may still arrive, and is alone then.
    expect(await held.deliver()).toMatchObject({ succeeded: true });
    held.comeBack();
    await batcher.put(key, 'third');
    expect(await versionOf(server.endpoint, key)).toBe(2);
  });

  it('ends, closed while etcd is away, and each write is told', async () => {
    const { batcher } = await behindProxy();
    const prefix = freshPrefix();
    proxy.loseAnswer('KV/Txn', { times: 1000, how: 'silence' });
    const names = Array.from({ length: 400 }, (_, n) => prefix + (n % 300));
    const writes = outcomes(names.map((name) => batcher.put(name, 'x')));
    await batcher.close(50);
    const told = await writes;
    expect(told.every((one) => one instanceof Error)).toBe(true);
    const codes = new Set(told.map((one) => (one as Error & { code: string }).code));
    expect(codes).toEqual(new Set(['WRITE_OUTCOME_UNKNOWN', 'WRITE_BATCHER_CLOSED']));
  });
});
