import { Gate, GateKind } from '../nest/gate.js';
import type { LockHandle } from './lock-handle.js';
import type { LockOptions } from './lock-options.js';
import { LockBusyError, LockLostError, LockShutdownError } from './lock.errors.js';

/** What takes the locks: a `LockService`. */
export interface LocksToUse {
  using<T>(
    key: string,
    work: (lock: LockHandle) => T | PromiseLike<T>,
    options?: LockOptions,
  ): Promise<T>;
}

/** The error of a lock as it goes over a wire, such as in the `RpcException` of a message handler. */
export interface LockErrorPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  /** The lock's name. */
  readonly key: string;
}

/**
 * Takes the locks of methods marked `@DistributedLock`. There is one for each connection of an
 * application; Nest puts it on the object.
 */
export class LockGate extends Gate {
  constructor(private readonly locks: LocksToUse) {
    super();
  }

  /** Runs a call under the lock; see `LockService.using`. */
  using<T>(key: string, work: () => T | PromiseLike<T>, options: LockOptions): Promise<T> {
    return this.locks.using(key, work, options);
  }

  /** The error of a call; for a message handler, if it is that of a lock, one that its sender gets to read. */
  refusal(error: unknown, forMessage: boolean): unknown {
    if (!isOfLock(error)) return error;
    const { code, message, key } = error;
    const payload: LockErrorPayload = { status: 'error', code, message, key };
    return this.told(error, payload, forMessage);
  }
}

export const LOCK_GATES = new GateKind<LockGate>('LockGate', '@DistributedLock', 'take the lock');

function isOfLock(error: unknown): error is LockBusyError | LockLostError | LockShutdownError {
  return (
    error instanceof LockBusyError ||
    error instanceof LockLostError ||
    error instanceof LockShutdownError
  );
}
