import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from './etcd-client.js';

/** Deletes a key, unless it has changed since it was seen. */
export async function deleteUnchanged(client: EtcdClient, seen: IKeyValue): Promise<void> {
  const { key, mod_revision } = seen;
  const unchanged = { target: 'Mod', result: 'Equal', key, mod_revision } as const;
  await client.txn(
    { compare: [unchanged], success: [{ request_delete_range: { key } }], failure: [] },
    { repeatable: true },
  );
}
