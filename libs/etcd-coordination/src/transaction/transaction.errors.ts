import { EtcdCoordinationError } from '../client/coordination.error.js';
import { HttpStatusError } from '../client/http-status.error.js';

/** A transaction was given a key, a value or an option that it cannot take. Nothing was sent. */
export class InvalidTransactionError extends EtcdCoordinationError {
  constructor(message: string) {
    super('INVALID_TRANSACTION', message);
  }
}

/** A write named a key of the library's own, such as a lock's. Nothing was sent. */
export class ReservedKeyError extends EtcdCoordinationError {
  constructor(
    /** The key, relative to the namespace. */
    readonly key: string,
    feature: string,
  ) {
    super(
      'RESERVED_KEY',
      `The key ${JSON.stringify(key)} cannot be written: everything under "${feature}/" is kept by this library itself. ` +
        'Choose another first part, such as "app/".',
    );
  }
}

/** A transaction has more operations than etcd takes in one (128 by default). Nothing was written. */
export class TransactionTooLargeError extends EtcdCoordinationError {
  constructor(
    /** How many keys it compares: those read, and its fences. */
    readonly compared: number,
    /** How many keys it writes. */
    readonly written: number,
    /** How many of either there may be. */
    readonly limit: number,
  ) {
    super(
      'TRANSACTION_TOO_LARGE',
      `A transaction compares ${compared} key(s) or ranges and writes ${written}, but etcd takes at most ${limit} of each; ` +
        'nothing was written. Read and write fewer keys in one transaction, or keep what belongs together under one key.',
    );
  }
}

/**
 * Others changed what a transaction read, each time that it was tried; nothing was written.
 * HTTP 409 through Nest's exception filter.
 */
export class TransactionConflictError extends HttpStatusError {
  readonly statusCode = 409;

  constructor(
    /** The keys and prefixes that others changed the last time, relative to the namespace; empty if unknown. */
    readonly keys: readonly string[],
    /** How often it was tried. */
    readonly attempts: number,
    cause?: unknown,
  ) {
    super(
      'TRANSACTION_CONFLICT',
      `A transaction was given up after ${attempts} attempt(s), as others changed ${
        keys.length > 0 ? keys.map((key) => JSON.stringify(key)).join(', ') : 'what it touches'
      } each time; nothing was written. Try again later, read and write fewer keys, or raise "maxAttempts".`,
      { cause },
    );
  }
}

/** `fenced()` was called with no fence, outside of any term or lock. Nothing was sent. */
export class NoFenceError extends EtcdCoordinationError {
  constructor() {
    super(
      'NO_FENCE',
      'fenced() was given no fence, and the running call stands in no term and no lock. ' +
        'Give it one, as in fenced(lock.fence), or call it from a method with @Leader or @DistributedLock.',
    );
  }
}

/** A key was to be put on the session's lease, and there is none at present. Nothing was written. */
export class NoSessionLeaseError extends EtcdCoordinationError {
  constructor(key: string, cause?: unknown) {
    super(
      'NO_SESSION_LEASE',
      `The key ${JSON.stringify(key)} was to be put on the session's lease, but the session has none now; ` +
        'nothing was written. Try again when etcd can be reached.',
      { cause },
    );
  }
}
