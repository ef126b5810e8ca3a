import type { TrueEvent } from '../check/evidence.js';
import { type AdminAccess, adminClient, namespaceRange } from './admin-access.js';
import { MARKS, trueEvent } from './true-event.js';

/**
 * All keys of the namespace as they are now, linearizably, with the moment 0.
 *
 * @throws what etcd refuses it with, or that no member answers
 */
export async function finalList(access: AdminAccess): Promise<TrueEvent[]> {
  using etcd = adminClient(access, access.endpoints);
  const { kvs } = await etcd.client.kv.range(namespaceRange(access.namespace));
  return kvs
    .map((kv) => trueEvent('put', kv, access.namespace, 0))
    .filter(({ key }) => !key.startsWith(MARKS));
}
