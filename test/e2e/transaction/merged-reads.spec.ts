import { getEventListeners } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EtcdPermissionDeniedError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import {
  WriteBatcherClosedError,
  WriteBatcherFullError,
} from '../../../libs/etcd-coordination/src/transaction/write-batcher.errors.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { enableAuth, putKey } from '../../support/etcd-admin.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { outcomes, startBatcher } from './batchers.js';
import { freshPrefix, NAMESPACE } from './transactions.js';

describe.each(await serversUnderTest())('merged reads, $name', ({ start }) => {
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

  it('go in calls of at most 128, and equal ones share an answer', async () => {
    const { batcher, client } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    const names = Array.from({ length: 200 }, (_, n) => `${prefix}${n}`);
    await Promise.all(names.slice(0, 150).map((name) => batcher.put(name, `of ${name}`)));
    const before = client.requestsSent;
    const read = await Promise.all([...names, ...names].map((name) => batcher.get(name)));
    expect(client.requestsSent - before).toBe(2);
    for (const [n, value] of read.entries()) {
      expect(value?.text()).toBe(n % 200 < 150 ? `of ${names[n % 200]}` : undefined);
      expect(value?.revision).toBe(read[n % 200]?.revision);
      expect(value?.key).toBe(value ? names[n % 200] : undefined);
    }
    expect(batcher.stats).toMatchObject({ reads: 400, readCalls: 2 });
  });

  it('never join a call that was sent before, whose answer may be older than what their caller has seen', async () => {
    const { batcher } = await startBatcher(proxy.url);
    const key = `${freshPrefix()}key`;
    await putKey(server.endpoint, `${NAMESPACE}/${key}`, 'old');
    const fault = proxy.holdAnswer('KV/Range');
    const early = batcher.get(key);
    await fault.happened;
    await putKey(server.endpoint, `${NAMESPACE}/${key}`, 'new');
    const [late, same] = await Promise.all([batcher.get(key), batcher.get(key)]);
    expect([late?.text(), same?.text()]).toEqual(['new', 'new']);
    proxy.clearFaults();
    expect((await early)?.text()).toBe('old');
  });

  it('are asked again elsewhere or once more, as single ones are, if an answer is lost', async () => {
    const { batcher } = await startBatcher(proxy.url);
    const prefix = freshPrefix();
    await putKey(server.endpoint, `${NAMESPACE}/${prefix}a`, 'x');
    proxy.loseAnswer('KV/Txn');
    const read = await Promise.all(['a', 'b'].map((name) => batcher.get(prefix + name)));
    expect(read.map((value) => value?.text())).toEqual(['x', undefined]);
  });

  it('may be withdrawn', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const reason = new Error('the test withdraws it');
    const key = `${freshPrefix()}key`;
    const [aborted, other] = await outcomes([
      batcher.get(key, { signal: AbortSignal.abort(reason) }),
      batcher.get(key),
    ]);
    expect([aborted, other]).toEqual([reason, null]);
    const controller = new AbortController();
    const read = batcher.get(key, { signal: controller.signal });
    controller.abort(reason);
    await expect(read).rejects.toBe(reason);
    await batcher.flush();
    // It was not asked for any more.
    expect(batcher.stats).toMatchObject({ reads: 2, readCalls: 1 });
  });

  it('make room when they are withdrawn, and hold no signal when there is none', async () => {
    const { batcher } = await startBatcher(server.endpoint, { maxPending: 1 });
    const key = `${freshPrefix()}key`;
    const [first, refused] = [new AbortController(), new AbortController()];
    const early = outcomes([batcher.get(key, { signal: first.signal })]);
    const full = outcomes([batcher.get(key, { signal: refused.signal })]);
    // Before this turn is over, with which the first is sent.
    first.abort();
    const after = batcher.get(key);
    expect((await full)[0]).toBeInstanceOf(WriteBatcherFullError);
    expect(getEventListeners(refused.signal, 'abort')).toEqual([]);
    expect((await early)[0]).toBe(first.signal.reason);
    expect(getEventListeners(first.signal, 'abort')).toEqual([]);
    await after;
    const late = new AbortController();
    const room = outcomes([batcher.get(key, { signal: late.signal })]);
    late.abort();
    const next = batcher.get(key);
    expect(await next).toBeNull();
    expect(await room).toEqual([late.signal.reason]);
  });

  it('are refused, if they still wait when the time to close is over', async () => {
    const { batcher } = await startBatcher(proxy.url);
    const prefix = freshPrefix();
    const fault = proxy.holdAnswer('KV/Range', { times: 2 });
    const sent: Promise<unknown>[] = [];
    for (const n of [1, 2]) {
      sent.push(batcher.get(`${prefix}${n}`));
      await waitFor(() => batcher.stats.readCalls === n, { what: 'the read to be sent' });
    }
    await fault.happened;
    const waiting = outcomes([batcher.get(`${prefix}3`)]);
    const closed = batcher.close(20);
    expect((await waiting)[0]).toBeInstanceOf(WriteBatcherClosedError);
    proxy.clearFaults();
    expect(await Promise.all(sent)).toEqual([null, null]);
    await closed;
  });

  it('give each caller bytes of its own, and keep no large answer in memory', async () => {
    const { batcher } = await startBatcher(server.endpoint);
    const prefix = freshPrefix();
    await batcher.put(`${prefix}small`, 'small');
    await batcher.put(`${prefix}large`, Buffer.alloc(300_000));
    const names = ['small', 'small', 'large'].map((name) => prefix + name);
    const [one, other] = await Promise.all(names.map((name) => batcher.get(name)));
    expect(one!.value.buffer.byteLength).toBeLessThan(20_000);
    one!.value.write('SMALL');
    expect(other!.text()).toBe('small');
  });
});

describe.each(await availableEtcdLines())('one forbidden key, etcd %s', (line) => {
  it('fails alone, read or written', async () => {
    const server = await EtcdServer.start({ line });
    try {
      const user = { name: 'app', password: 'secret', prefix: `${NAMESPACE}/app/` };
      const marks = { name: 'marks', password: 'x', prefix: `${NAMESPACE}/transaction/` };
      await enableAuth(server.endpoint, 'root', [user, marks]);
      await grantToo(server.endpoint, user.name, marks.name);
      const auth = { username: user.name, password: user.password };
      const { batcher } = await startBatcher(server.endpoint, {}, { auth });
      const names = Array.from({ length: 40 }, (_, n) => (n === 13 ? 'other/x' : `app/${n}`));
      const written = await outcomes(names.map((name) => batcher.put(name, 'x')));
      const read = await outcomes(names.map((name) => batcher.get(name)));
      for (const told of [written, read]) {
        expect(told[13]).toBeInstanceOf(EtcdPermissionDeniedError);
        expect((told[13] as Error).message).toContain('"other/x"');
        expect(told.filter((one) => one instanceof Error)).toHaveLength(1);
      }
    } finally {
      await server.stop();
    }
  });
});

/** Gives a user the role of another one as well. */
async function grantToo(endpoint: string, user: string, other: string): Promise<void> {
  const { Etcd3 } = await import('etcd3');
  const root = new Etcd3({ hosts: endpoint, auth: { username: 'root', password: 'root' } });
  try {
    await root.auth.userGrantRole({ user, role: `of-${other}` });
  } finally {
    root.close();
  }
}
