import { lockEntrySegment, lockQueuePrefix } from '../../libs/etcd-coordination/src/client/keys.js';
import type { Fence } from '../../libs/etcd-coordination/src/context/fence.js';

export const NAMESPACE = 'fencing';

/** A fence such as the lock of that name would give at that revision. */
export function fenceOf(lock: string, revision: number | bigint, grant = 0): Fence {
  const segment = lockEntrySegment({ leaseId: 0x1fn, slot: 0, shared: false });
  return {
    resource: `lock/${lock}`,
    key: lockQueuePrefix(NAMESPACE, lock) + segment,
    revision: BigInt(revision),
    token: (BigInt(revision) << 20n) + BigInt(grant),
  };
}
