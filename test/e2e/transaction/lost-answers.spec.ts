import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  EtcdUnavailableError,
  WriteOutcomeUnknownError,
} from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { deleteKey, keysUnder, putKey } from '../../support/etcd-admin.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshPrefix, NAMESPACE, standing, startTransactions } from './transactions.js';

const HOW = ['unavailable', 'reset', 'cut', 'silence'] as const;

describe.each(await serversUnderTest())('lost answers of transactions, $name', ({ start }) => {
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

  /** Transactions behind the proxy, and what is done right before each that writes is sent. */
  async function startBehindProxy() {
    const started = await startTransactions(proxy.url, { timeouts: { write: 1200, read: 1200 } });
    const { client } = started;
    const steps: (() => unknown)[] = [];
    const txn = client.txn.bind(client);
    client.txn = async (request, settings) => {
      if (settings?.repeatable === false) await steps.shift()?.();
      return txn(request, settings);
    };
    onTestFinished(() => void (client.txn = txn));
    return { ...started, atWrites: (...then: (() => unknown)[]) => void steps.push(...then) };
  }

  const version = async (key: string) => {
    const { kvs } = (await (
      await startTransactions(server.endpoint)
    ).client.range({ key: Buffer.from(`${NAMESPACE}/${key}`) })) as { kvs: { version: string }[] };
    return Number(kvs[0]?.version ?? 0);
  };

  it.each(HOW)('writes once, and says so, if the answer is lost (%s)', async (how) => {
    const { transactions, atWrites } = await startBehindProxy();
    const lose = () => proxy.loseAnswer('KV/Txn', { how });
    const key = `${freshPrefix()}key`;
    atWrites(lose);
    const set = await transactions.compareAndSet(key, null, '1');
    expect(set).toMatchObject({ succeeded: true });
    atWrites(lose);
    // The same value once more: nothing but the mark tells these apart.
    const again = await transactions.compareAndSet(key, '1', '1');
    expect(again).toMatchObject({ succeeded: true });
    expect(again.revision).toBeGreaterThan(set.revision);
    atWrites(lose);
    expect(await transactions.update(key, (v) => `${v!.text()}+`)).toMatchObject({ attempts: 1 });
    atWrites(lose);
    let runs = 0;
    await transactions.stm(async (t) => {
      runs += 1;
      t.put(key, `${(await t.get(key))!.text()}+`);
    });
    expect(runs).toBe(1);
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '1++' });
    expect(await version(key)).toBe(4);
    // A blind write has no comparison of its own that would fail the second time.
    atWrites(lose);
    await transactions.batch().put(key, 'blind').commit();
    expect(await version(key)).toBe(5);
    atWrites(lose);
    expect(await transactions.compareAndSet(key, 'blind', null)).toMatchObject({ succeeded: true });
    expect(await standing(server.endpoint, key)).toEqual({});
  });

  it('says that nobody knows what became of it, if the connection is closed meanwhile', async () => {
    const { transactions, client, atWrites } = await startBehindProxy();
    const key = `${freshPrefix()}key`;
    atWrites(() => proxy.loseAnswer('KV/Txn', { how: 'silence' }));
    const put = transactions
      .batch()
      .put(key, '1')
      .commit()
      .catch((error: unknown) => error);
    await waitFor(async () => (await version(key)) === 1, { what: 'the write to be applied' });
    await client.close();
    expect(await put).toBeInstanceOf(WriteOutcomeUnknownError);
  });

  it('writes once if the request is lost', async () => {
    const { transactions, atWrites } = await startBehindProxy();
    const key = `${freshPrefix()}key`;
    for (let n = 1; n <= 3; n++) {
      atWrites(() => proxy.fail('KV/Txn'));
      const { attempts } = await transactions.update(key, (v) => `${Number(v?.text() ?? 0) + 1}`);
      expect(attempts).toBe(1);
      expect(await version(key)).toBe(n);
    }
  });

  it('tells its own write from that of another with the same value', async () => {
    const { transactions, atWrites } = await startBehindProxy();
    const key = `${freshPrefix()}key`;
    await putKey(server.endpoint, `${NAMESPACE}/${key}`, '1');
    // Not applied, and another writes what this one would have.
    atWrites(async () => {
      proxy.fail('KV/Txn');
      await putKey(server.endpoint, `${NAMESPACE}/${key}`, '2');
    });
    expect(await transactions.compareAndSet(key, '1', '2')).toMatchObject({ succeeded: false });
    // Applied, and another overwrites it before that is asked.
    let other!: Promise<unknown>;
    atWrites(() => {
      const fault = proxy.loseAnswer('KV/Txn', { how: 'silence' });
      other = fault.happened.then(() => putKey(server.endpoint, `${NAMESPACE}/${key}`, '2'));
    });
    expect(await transactions.compareAndSet(key, '2', '3')).toMatchObject({ succeeded: true });
    await other;
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '2' });
  });

  it('a counter is exact though answers and requests are lost all the time', async () => {
    const { transactions, client } = await startBehindProxy();
    const key = `${freshPrefix()}counter`;
    const txn = client.txn;
    let sent = 0;
    client.txn = (request, settings) => {
      sent += 1;
      if (settings?.repeatable === false && sent % 5 === 0) proxy.loseAnswer('KV/Txn');
      if (settings?.repeatable === false && sent % 7 === 0) proxy.fail('KV/Txn');
      return txn(request, settings);
    };
    let told = 0;
    const worker = async () => {
      for (let n = 0; n < 25; n++) {
        await transactions.update(key, (v) => `${Number(v?.text() ?? 0) + 1}`);
        told += 1;
      }
    };
    await Promise.all(Array.from({ length: 4 }, worker));
    expect(told).toBe(100);
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '100' });
  });

  it('makes sure that a request which is under way still is never applied', async () => {
    const { transactions, client } = await startBehindProxy();
    const key = `${freshPrefix()}key`;
    await transactions.batch().put(`${key}0`, 'x').commit();
    const txn = client.txn;
    const late: (() => Promise<unknown>)[] = [];
    client.txn = async (request, settings) => {
      if (settings?.repeatable !== false || late.length > 0) return txn(request, settings);
      // It arrives long after this process has given it up.
      late.push(() => txn(request, settings));
      throw new WriteOutcomeUnknownError('KV.txn', 'the test holds it back');
    };
    await transactions.batch().put(key, 'first').commit();
    expect(await version(key)).toBe(1);
    await putKey(server.endpoint, `${NAMESPACE}/${key}`, 'of another');
    expect(await late[0]!()).toMatchObject({ succeeded: false });
    expect(await standing(server.endpoint, key)).toMatchObject({ [key]: 'of another' });
  });

  it('says that it does not know if etcd stays away, and that it was not applied if so', async () => {
    const { transactions, atWrites } = await startBehindProxy();
    const key = `${freshPrefix()}key`;
    atWrites(() => proxy.loseAnswer('KV/Txn', { times: 1000 }));
    const lost = await transactions.compareAndSet(key, null, '1').catch((e: unknown) => e);
    expect(lost).toBeInstanceOf(WriteOutcomeUnknownError);
    expect((lost as Error).message).toContain(key);
    proxy.clearFaults();
    // The mark of that one is not used again.
    expect(await transactions.compareAndSet(key, '1', '2')).toMatchObject({ succeeded: true });
    const failing = () => proxy.fail('KV/Txn');
    atWrites(failing, failing, failing);
    const failed = await transactions.compareAndSet(key, '2', '3').catch((e: unknown) => e);
    expect(failed).toBeInstanceOf(EtcdUnavailableError);
    expect((failed as Error).message).toContain('nothing was written');
    expect(await standing(server.endpoint, key)).toEqual({ [key]: '2' });
  });

  it('says that it does not know if its mark was deleted meanwhile', async () => {
    const { transactions, atWrites, client } = await startBehindProxy();
    const prefix = freshPrefix();
    await transactions.batch().put(`${prefix}a`, '1').commit();
    const txn = client.txn;
    client.txn = async (request, settings) => {
      if (settings?.repeatable === true) {
        const marks = await keysUnder(server.endpoint, `${NAMESPACE}/transaction/`);
        for (const { key } of marks) await deleteKey(server.endpoint, key);
      }
      return txn(request, settings);
    };
    atWrites(() => proxy.loseAnswer('KV/Txn'));
    const lost = transactions.batch().put(`${prefix}a`, '2').commit();
    await expect(lost).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    client.txn = txn;
    await transactions.batch().put(`${prefix}a`, '3').commit();
  });

  it('has no room for a mark in a transaction of 128, and says that it does not know', async () => {
    const { transactions, atWrites } = await startBehindProxy();
    const prefix = freshPrefix();
    const batch = transactions.batch();
    for (let n = 0; n < 128; n++) batch.put(prefix + n, 'x');
    atWrites(() => proxy.loseAnswer('KV/Txn'));
    await expect(batch.commit()).rejects.toBeInstanceOf(WriteOutcomeUnknownError);
    expect(Object.keys(await standing(server.endpoint, prefix))).toHaveLength(128);
  });
});
