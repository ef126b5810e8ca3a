import type { CoordinationOptions } from '../../../../libs/etcd-coordination/src/module/coordination-options.js';

/** As that of `recordsOf`, which would silence the logs of whoever imports it. */
const NAMESPACE = 'e2e';
export const SERVICE = 'stock';
export const TTL_SECONDS = 3;

/** What all applications of the fleet have in common; everything else is as a user finds it. */
export function moduleOptions(
  endpoints: readonly string[],
  instanceId: string,
): CoordinationOptions {
  return { endpoints, namespace: NAMESPACE, instanceId, session: { ttlSeconds: TTL_SECONDS } };
}
