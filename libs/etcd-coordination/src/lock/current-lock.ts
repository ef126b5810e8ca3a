import { currentOwner } from '../context/ownership-context.js';
import type { LockHandle } from './lock-handle.js';

/**
 * The innermost lock whose context the running call chain stands in: that of a method under
 * `@DistributedLock`, or of the work of `using`. Null outside of any.
 */
export function currentLock(): LockHandle | null {
  return currentOwner('lock') as LockHandle | null;
}
