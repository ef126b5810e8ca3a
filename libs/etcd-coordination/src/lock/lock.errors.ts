import { EtcdCoordinationError } from '../client/coordination.error.js';
import { HttpStatusError } from '../client/http-status.error.js';
import type { LockLossReason } from './lock-handle.js';

/** Somebody else has the lock, and it was not to be waited for any longer. HTTP 423. Nothing has run. */
export class LockBusyError extends HttpStatusError {
  readonly statusCode = 423;

  constructor(
    readonly key: string,
    /** The instance that holds it, as far as etcd or this process could tell. */
    readonly holder: string | null,
    readonly waitedMs: number,
  ) {
    const by = holder === null ? '' : ` by "${holder}"`;
    const waited = waitedMs > 0 ? `, and was not free within ${waitedMs} ms` : '';
    super(
      'LOCK_BUSY',
      `The lock "${key}" is held${by}${waited}. Try again later, or wait longer (waitMs).`,
    );
  }
}

/** Waiting was given up by its AbortSignal, whose reason is the `cause`. Nothing has run. */
export class LockWaitAbortedError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    cause: unknown,
  ) {
    super('LOCK_WAIT_ABORTED', `Waiting for the lock "${key}" was given up: its signal aborted.`, {
      cause,
    });
  }
}

const LOSSES: Readonly<Record<LockLossReason, string>> = {
  'session-lost': 'the lease of this process ended, or is no longer certain to stand',
  'key-deleted': 'its key was deleted in etcd by somebody else',
  refused: 'etcd no longer shows it to this process',
  shutdown: 'the application has shut down',
};

/** The lock was lost while it was needed; somebody else may have it now. HTTP 503. */
export class LockLostError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    readonly key: string,
    readonly token: bigint,
    readonly reason: LockLossReason,
    options?: { cause?: unknown },
  ) {
    super(
      'LOCK_LOST',
      `The lock "${key}" (token ${token}) was lost: ${LOSSES[reason]}. What was done under it may have to be done again.`,
      options,
    );
  }
}

/** The running call chain holds the lock already, and would wait for itself. Nothing was done. */
export class LockReentryError extends EtcdCoordinationError {
  constructor(readonly key: string) {
    super(
      'LOCK_REENTRY',
      `The running call holds the lock "${key}" already, and would wait for itself. ` +
        `Set reentrant: true to run under the grant that it has, or call the inner work without the lock.`,
    );
  }
}

/** The running call chain reads under a lock that it wants to write under: two such would wait for each other. */
export class LockUpgradeError extends EtcdCoordinationError {
  constructor(readonly key: string) {
    super(
      'LOCK_UPGRADE',
      `The running call holds the lock "${key}" for reading and cannot turn it into one for writing: ` +
        `two readers that both tried would wait for each other. Take it for writing from the start.`,
    );
  }
}

/**
 * The application is shutting down: what waits is told so, and what would have to wait. A lock that is
 * free may still be had, by what ends its work, until the connection closes. HTTP 503.
 */
export class LockShutdownError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(readonly key: string) {
    super(
      'LOCK_SHUTDOWN',
      `The lock "${key}" is not to be had: the application is shutting down. Ask another instance.`,
    );
  }
}

/** An option of a lock is none, or has a value that it cannot have. Nothing was done. */
export class InvalidLockOptionError extends EtcdCoordinationError {
  constructor(
    /** The lock, as it was named. */
    readonly key: string,
    readonly option: string,
    fault: string,
  ) {
    super('INVALID_LOCK_OPTION', `The option ${option} of the lock "${key}" ${fault}.`);
  }
}

/** A semaphore is in use with another number of permits. Nothing was done. */
export class SemaphorePermitsError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    readonly claimed: number,
    /** What etcd has. */
    readonly permits: number,
    /** The key that has it. */
    at: string,
  ) {
    super(
      'SEMAPHORE_PERMITS',
      `The semaphore "${key}" has ${permits} permits, not ${claimed}. Ask for ${permits}, or, once nobody holds one, delete ${at}.`,
    );
  }
}
