import { EtcdCoordinationError } from '../client/coordination.error.js';

/**
 * A stream of values that was made under a lock is used when the lock has been given back: it was
 * not used for too long, or it is used a second time. Nothing of it has run.
 */
export class LockReleasedError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    readonly token: bigint,
    /** Milliseconds for which nobody used it, or null if somebody did. */
    readonly unusedMs: number | null,
  ) {
    const why =
      unusedMs === null
        ? 'what was returned under it was used to its end before'
        : `nobody used what was returned under it for ${unusedMs} ms`;
    super(
      'LOCK_RELEASED',
      `The lock "${key}" (token ${token}) has been released: ${why}. ` +
        `Subscribe to it, or iterate over it, as soon as you get it; take the lock anew for each time.`,
    );
  }
}
