import { EtcdCoordinationError } from '../client/coordination.error.js';
import { MAX_NAME_BYTES, nameFault, shownName } from '../client/name-fault.js';

/** A lock or a semaphore was given a name that it cannot have. Nothing was done. */
export class InvalidLockNameError extends EtcdCoordinationError {
  constructor(
    /** What was given as a name. */
    readonly key: unknown,
    fault: string,
  ) {
    super(
      'INVALID_LOCK_NAME',
      `${shownName(key)} cannot name a lock: it ${fault}. ` +
        `Give a string of 1 to ${MAX_NAME_BYTES} bytes, such as "invoices" or "sku/4711".`,
    );
  }
}

/**
 * Refuses what cannot name a lock.
 *
 * @throws {InvalidLockNameError} naming what is wrong and what a name looks like
 */
export function assertLockName(name: unknown): asserts name is string {
  const fault = nameFault(name);
  if (fault !== null) throw new InvalidLockNameError(name, fault);
}
