import type { ClaimQueue } from './claim-queue.js';
import { HoldKey } from './hold-key.js';
import type { LockWait } from './lock-wait.js';
import { LockLostError } from './lock.errors.js';
import type { OwnLock } from './own-lock.js';
import type { QueueGround } from './queue-ground.js';

/**
 * Grants a lock to who waits for it: where it is to be held for a span at least, once etcd has the key
 * that sees to it; if that cannot be had, or nobody waits any more, the lock is let go.
 */
export async function grantHeld(
  { client }: QueueGround,
  { kind }: ClaimQueue,
  wait: LockWait,
  lock: OwnLock,
): Promise<void> {
  const { holdAtLeastMs = 0 } = wait.options;
  try {
    if (holdAtLeastMs > 0) {
      lock.hold = await HoldKey.put(client, kind.prefix, lock.claim, holdAtLeastMs);
      if (!lock.hold || !lock.isValid()) {
        throw new LockLostError(lock.key, lock.token, 'key-deleted');
      }
    }
  } catch (error) {
    wait.fail(error);
  }
  if (wait.isOver) await lock.abandon();
  else wait.grant(lock);
}
