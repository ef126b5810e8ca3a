import type { Fence } from '../context/fence.js';

/**
 * Why a lock was lost: the `reason` of the `LockLostError` with which its signal aborts.
 *
 * - `session-lost`: the session's lease ended, or is no longer certain to stand
 * - `key-deleted`: the lock's key was deleted in etcd by somebody else
 * - `refused`: etcd no longer shows this process the lock
 * - `shutdown`: the application has shut down
 */
export type LockLossReason = 'session-lost' | 'key-deleted' | 'refused' | 'shutdown';

/** One grant of a lock to this process, from its win to its release or loss. */
export interface LockHandle extends AsyncDisposable {
  /** The lock's name, as it was asked for. */
  readonly key: string;
  /** The fencing token: larger than that of every earlier grant of this lock. */
  readonly token: bigint;
  /** What a guarded write compares and what calls carry to others, see {@link Fence}. */
  readonly fence: Fence;
  /**
   * Aborts with a `LockLostError` when the lock is lost, before anyone else can win it; only when
   * somebody deletes its key or revokes its lease by hand does it abort as soon as that is noticed.
   * A release does not abort it. Reading `aborted` asks the clock, so it is right even when the
   * event loop was blocked.
   */
  readonly signal: AbortSignal;
  /** Whether this grant stands now, by the monotonic clock. Makes no call. */
  isValid(): boolean;
  /** Milliseconds for which it is certain if no further keepalive is answered; 0 when it is over. */
  remainingMs(): number;
  /**
   * Gives the lock back. Resolves when others may have it: when etcd has taken the release, or the
   * next of this process has got it; where `holdAtLeastMs` still runs, at once, and others wait for its
   * end. Releasing again, or after a loss, changes nothing. Never rejects.
   */
  release(): Promise<void>;
}
