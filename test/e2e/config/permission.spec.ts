import { expect, it } from 'vitest';
import { describeAtOnce } from '../../support/describe-at-once.js';
import { enableAuth, putKey } from '../../support/etcd-admin.js';
import { availableEtcdLines } from '../../support/etcd-binaries.js';
import { EtcdServer } from '../../support/etcd-server.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';
import { freshName, layerKey, NAMESPACE, startStore } from './stores.js';

const lines = await availableEtcdLines();

describeAtOnce(lines, 'a configuration that etcd does not let its user read', (line) => {
  it('fails the start, or is its default, and is followed as soon as it may be', async ({
    onTestFinished,
  }) => {
    const server = await EtcdServer.start({ line });
    const { endpoint } = server;
    try {
      const key = freshName();
      await putKey(endpoint, layerKey(key), '{"a": 1}');
      await enableAuth(endpoint, 'secret', [
        { name: 'shop', password: 'pw', prefix: 'elsewhere/' },
      ]);
      const { store } = await startStore(endpoint, {
        connection: { auth: { username: 'shop', password: 'pw' } },
        onTestFinished,
      });
      await expect(store.watch(key)).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
      const other = await store.watch(freshName(), { default: { a: 0 } });
      expect(other.value).toEqual({ a: 0 });
      expect(other.status()).toMatchObject({ source: 'default', synced: false });
      const seen: unknown[] = [];
      store.value$(key).subscribe((value) => seen.push(value));

      using root = rawEtcd(endpoint, { auth: { username: 'root', password: 'secret' } });
      const prefix = Buffer.from(`${NAMESPACE}/`);
      const range_end = Buffer.from(`${NAMESPACE}0`);
      await root.client.auth.roleGrantPermission({
        name: 'of-shop',
        perm: { permType: 'Readwrite', key: prefix, range_end },
      });
      await waitFor(() => seen.length > 0, { what: 'the value', timeoutMs: 20_000 });
      expect((await store.watch(key)).value).toEqual({ a: 1 });
      await waitFor(() => other.status().synced, { what: 'the other one', timeoutMs: 20_000 });
    } finally {
      await server.kill();
    }
  }, 40_000);
});
