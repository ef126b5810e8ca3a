import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EtcdPermissionDeniedError } from '../../../libs/etcd-coordination/src/client/etcd.errors.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { enableAuth, putKey } from '../../support/etcd-admin.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { GrpcProxy } from '../../support/grpc-proxy.js';
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
      expect(value).toBe(read[n % 200]);
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
