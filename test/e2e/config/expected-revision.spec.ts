import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigConflictError } from '../../../libs/etcd-coordination/src/config/config.errors.js';
import type { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { deleteKey } from '../../support/etcd-admin.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';
import { freshName, layerKey, startStore } from './stores.js';

describe.each(await serversUnderTest())('the revision that was read, $name', ({ start }) => {
  let server: ServerUnderTest;

  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server?.stop());

  /** Writes what it has read, as whoever reads, decides and writes does. */
  async function writeBack(store: ConfigStore, name: string, value: unknown) {
    const { revision } = await store.get(name);
    return store.set(name, value, { expectedRevision: revision });
  }

  it('is what a next write may expect, whatever was before', async () => {
    const { store } = await startStore(server.endpoint);
    const name = freshName();
    await writeBack(store, name, 'created');
    await writeBack(store, name, 'changed');
    await store.delete(name);
    await writeBack(store, name, 'after a deletion');
    // The newest document is older than the deletion of another layer.
    await store.set(name, 'mine', { layer: 'instance:orders-1' });
    await store.delete(name);
    await writeBack(store, name, 'after a deletion beside a document');
    await deleteKey(server.endpoint, layerKey(name));
    await writeBack(store, name, 'after a deletion past the library');
    const { value, layers } = await store.get(name);
    expect(value).toBe('mine');
    expect(layers[0]!.value).toBe('after a deletion past the library');
  });

  it('refuses whatever came after it', async () => {
    const { store } = await startStore(server.endpoint);
    const name = freshName();
    const refused = async (expectedRevision: bigint) => {
      const stale = store.set(name, 'stale', { expectedRevision });
      await expect(stale).rejects.toBeInstanceOf(ConfigConflictError);
    };
    const { revision: absent } = await store.get(name);
    await store.set(name, 1);
    await refused(absent);
    const { revision: created } = await store.get(name);
    await store.set(name, 2);
    await refused(created);
    const { revision: changed } = await store.get(name);
    await store.delete(name);
    await refused(changed);
    expect((await store.get(name)).value).toBeUndefined();
  });
});
