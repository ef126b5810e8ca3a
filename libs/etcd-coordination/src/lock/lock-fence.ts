import { LOCAL_GRANT, type Fence, type LocalGrant } from '../context/fence.js';

/**
 * The fence of a lock. One that another process may use, as somebody has read its key, keeps the lock
 * from being passed on behind that key: the comparison that guards a write could not tell this grant
 * from the next.
 */
export class LockFence implements Fence {
  declare readonly key: string;
  declare readonly [LOCAL_GRANT]: LocalGrant;

  constructor(
    readonly resource: string,
    readonly revision: bigint,
    readonly token: bigint,
    grant: LocalGrant,
    /** Gives the key to whoever reads it; it counts as handed to another process. */
    share: () => string,
  ) {
    // An own property, so that a copy of the fence reads it too; the grant is not copied.
    Object.defineProperty(this, 'key', {
      enumerable: true,
      get: share,
    });
    Object.defineProperty(this, LOCAL_GRANT, { value: grant, enumerable: false });
  }
}
