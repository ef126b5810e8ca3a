import type { LockHandle } from './lock-handle.js';

/** How one grant of a lock is asked for. */
export interface LockOptions {
  /**
   * Milliseconds to wait in all; 0 does not wait. Left out, it waits for as long as it takes.
   */
  readonly waitMs?: number;
  /** Gives up waiting when it aborts, leaving nothing behind. It does not release a lock that was granted. */
  readonly signal?: AbortSignal;
  /**
   * Milliseconds from the grant during which nobody gets the lock again, even if it was released or
   * its holder died: for short tasks on hosts whose clocks differ. Default 0.
   */
  readonly holdAtLeastMs?: number;
  /**
   * Whether this process keeps the released lock in etcd until another process asks for it, so that a
   * lock that nobody else wants costs no call. Default false.
   */
  readonly keep?: boolean;
  /**
   * - `'local'`: those who wait in this process queue here behind one key in etcd, and pass the lock
   *   on among them for a bounded number of turns while other processes wait. The default.
   * - `'etcd'`: strictly first come, first served across all processes; each who waits has a key.
   */
  readonly queue?: 'local' | 'etcd';
  /**
   * Whether a call chain that holds the lock already gets it again, under the grant that it has.
   * Default false: that is an error.
   */
  readonly reentrant?: boolean;
}

/** One thing to lock. */
export interface Lock {
  /**
   * Resolves with the lock once it is won; it stays until released.
   *
   * @throws LockBusyError after `waitMs`, or what etcd fails with if that is why it was not had
   * @throws LockWaitAbortedError when the signal aborts
   * @throws LockReentryError if the running call chain holds it, unless `reentrant`
   * @throws LockShutdownError when the application is shutting down
   * @throws InvalidLockOptionError, before anything is done
   */
  acquire(options?: LockOptions): Promise<LockHandle>;
  /** As {@link acquire} without waiting: null if somebody else has it or waits for it. */
  tryAcquire(options?: Omit<LockOptions, 'waitMs'>): Promise<LockHandle | null>;
  /**
   * Runs `work` under the lock, in whose context it finds `currentLock()` and `currentFence()`, and
   * releases it when the work is over: of an Observable, an async iterator or a stream that it
   * returns when that has ended.
   *
   * @throws LockLostError if the lock was lost meanwhile, once the work has stopped; its `cause` is
   *   the work's own error, if it failed too
   * @throws what `acquire` and `work` throw; a release that fails changes nothing of that
   */
  using<T>(work: (lock: LockHandle) => T | PromiseLike<T>, options?: LockOptions): Promise<T>;
}

/** A lock that many may read under, or one write. */
export interface ReadWriteLock {
  /** Shared with other readers. Waits behind a writer that came first, so no writer starves. */
  readonly read: Lock;
  /** Exclusive; the same lock as `acquire(key)`. */
  readonly write: Lock;
}

/** How a process passes a lock on among its own while other processes wait for it. */
export interface LockTurns {
  /** How many of its own get the lock in a row. Default 16. */
  readonly localTurns: number;
  /** For how many milliseconds, if that is over earlier. Default 50. */
  readonly localMs: number;
}
