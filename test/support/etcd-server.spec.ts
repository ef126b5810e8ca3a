import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority } from './certificates.js';
import {
  authTokenTtl,
  compact,
  currentRevision,
  deleteKey,
  enableAuth,
  keysUnder,
  putKey,
} from './etcd-admin.js';
import { availableEtcdLines } from './etcd-binaries.js';
import { EtcdServer } from './etcd-server.js';
import { rawEtcd } from './raw-etcd.js';

const lines = await availableEtcdLines();

describe.each(lines)('a real etcd %s', (line) => {
  let server: EtcdServer;

  beforeAll(async () => {
    server = await EtcdServer.start({ line });
  });
  afterAll(() => server.stop());

  it('answers, forgets history when told, and deletes', async () => {
    const first = await putKey(server.endpoint, 'support/a', '1');
    expect(await putKey(server.endpoint, 'support/b', '2')).toBe(first + 1n);
    expect(await compact(server.endpoint)).toBe(await currentRevision(server.endpoint));
    expect(await deleteKey(server.endpoint, 'support/a')).toBe(true);
    expect(await deleteKey(server.endpoint, 'support/a')).toBe(false);
    const left = await keysUnder(server.endpoint, 'support/');
    expect(left.map(({ key, value }) => [key, value])).toEqual([['support/b', '2']]);
  });

  it('keeps its data and its address over a kill', async () => {
    await putKey(server.endpoint, 'support/kept', 'yes');
    const { endpoint, pid } = server;
    await server.restart();
    expect(server.pid).not.toBe(pid);
    expect(server.endpoint).toBe(endpoint);
    expect(await keysUnder(endpoint, 'support/kept')).toHaveLength(1);
  });

  it('answers nothing while it is frozen', async () => {
    using etcd = rawEtcd(server.endpoint);
    await etcd.client.get('support/kept');
    server.freeze();
    const call = etcd.client.kv.range({ key: Buffer.from('x') }, { deadline: Date.now() + 300 });
    await expect(call).rejects.toThrow(/deadline/i);
    server.thaw();
    expect(await etcd.client.get('support/kept').string()).toBe('yes');
  });
});

describe.runIf(lines.length > 0)('a server with locks on its door', () => {
  it('lets only users in that it knows', async () => {
    const extraArgs = lines.some((line) => line !== '3.4') ? authTokenTtl(2) : [];
    const line = lines.at(-1) as string;
    const server = await EtcdServer.start({ line, extraArgs });
    await enableAuth(server.endpoint, 'secret', [
      { name: 'orders', password: 'pass', prefix: 'orders/' },
    ]);
    const auth = { username: 'orders', password: 'pass' };
    using etcd = rawEtcd(server.endpoint, { auth });
    await etcd.client.put('orders/1').value('x');
    await expect(etcd.client.put('stock/1').value('x').exec()).rejects.toThrow(/permission denied/);
    await expect(putKey(server.endpoint, 'orders/2', 'x')).rejects.toThrow(/user name is empty/);
    await server.stop();
  });

  it('shows the certificate it is given: valid, expired, or of another host', async () => {
    const authority = await TestAuthority.create();
    const reach = async (options: Parameters<TestAuthority['issue']>[0]) => {
      const server = await EtcdServer.start({ clientTls: await authority.issue(options) });
      using etcd = rawEtcd(server.endpoint, { credentials: { rootCertificate: authority.ca } });
      try {
        await etcd.client.kv.range({ key: Buffer.from('x') }, { deadline: Date.now() + 2_000 });
        return 'reached';
      } catch (error) {
        return (error as Error).message;
      } finally {
        await server.kill();
      }
    };
    expect(await reach({})).toBe('reached');
    expect(await reach({ expired: true })).toMatch(/certificate has expired/);
    expect(await reach({ hosts: ['elsewhere.test'] })).toMatch(
      /does not match certificate's altnames/,
    );
  });

  it('says why it did not start', async () => {
    const bad = EtcdServer.start({ extraArgs: ['--no-such-flag'] });
    await expect(bad).rejects.toThrow(/ended before it answered[\s\S]*no-such-flag/);
  });
});
