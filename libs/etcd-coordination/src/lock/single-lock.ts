import { findOwner } from '../context/ownership-context.js';
import type { QueueKind } from './queue-ground.js';
import type { LockBook } from './lock-book.js';
import type { LockHandle } from './lock-handle.js';
import type { Lock, LockOptions } from './lock-options.js';
import {
  LockBusyError,
  LockReentryError,
  LockShutdownError,
  LockUpgradeError,
  LockWaitAbortedError,
} from './lock.errors.js';
import type { Ways } from './named-lock.js';
import { MultiLockHandle } from './multi-handle.js';
import { NestedLock } from './nested-lock.js';
import { OwnLock } from './own-lock.js';
import { readLockOptions, type Refused } from './read-lock-options.js';

/** How long one who only keeps a lock gets to give it up to one who does not wait, in milliseconds. */
const YIELD_MS = 250;

const SHARED_REFUSES: Refused = {
  keep: 'is for a lock that one holds at a time',
  holdAtLeastMs: 'is for a lock that one holds at a time',
};

/** One lock, held for reading or for writing, or one semaphore. */
export class SingleLock implements Lock {
  constructor(
    private readonly book: LockBook,
    readonly name: string,
    private readonly resource: string,
    private readonly kind: QueueKind | null,
    private readonly held: { readonly way: keyof Ways; readonly bookName: string },
  ) {}

  acquire(options?: LockOptions): Promise<LockHandle> {
    // Not async: who has a kept lock would pay for that more than for the lock.
    return rejecting(() => {
      const read = this.read(options);
      return this.outer(read) ?? this.enter(read);
    });
  }

  async tryAcquire(options?: Omit<LockOptions, 'waitMs'>): Promise<LockHandle | null> {
    const read = this.read(options);
    const outer = this.outer(read);
    if (outer) return outer;
    const granted = await this.enterIfFree(read);
    return granted instanceof OwnLock ? granted : null;
  }

  async using<T>(
    work: (lock: LockHandle) => T | PromiseLike<T>,
    options?: LockOptions,
  ): Promise<T> {
    const lock = await this.acquire(options);
    return this.book.run(lock, work);
  }

  private get isShared(): boolean {
    return this.held.way === 'shared';
  }

  private read(options: LockOptions | undefined): LockOptions {
    const refused = this.isShared || this.kind ? SHARED_REFUSES : undefined;
    return readLockOptions(this.name, options, refused);
  }

  /** The lock that the running call chain has already. */
  private outer(options: LockOptions): Promise<LockHandle> | null {
    const { resource } = this;
    const { ground } = this.book;
    // Only handles are put there as owners of that kind.
    const holder = findOwner(
      'lock',
      (owner) => heldBy(owner as LockHandle, resource, ground) !== null,
    ) as LockHandle | null;
    const found = holder && heldBy(holder, resource, ground);
    if (!found) return null;
    if (!this.isShared && isReader(found)) throw new LockUpgradeError(this.name);
    if (!options.reentrant) throw new LockReentryError(this.name);
    return Promise.resolve(new NestedLock(found));
  }

  private enter(options: LockOptions): Promise<LockHandle> {
    if (options.waitMs === 0 || this.book.isDraining) return this.enterAtOnce(options);
    return this.way(options).acquire(options);
  }

  private async enterAtOnce(options: LockOptions): Promise<LockHandle> {
    const granted = await this.enterIfFree(options);
    if (granted instanceof OwnLock) return granted;
    if (this.book.isDraining && options.waitMs !== 0) throw new LockShutdownError(this.name);
    throw new LockBusyError(this.name, granted.holder, 0);
  }

  private async enterIfFree(options: LockOptions) {
    const way = this.way(options);
    const { waitMs: _, ...once } = options;
    const granted = await way.acquireIfFree(once);
    if (granted instanceof OwnLock || !granted.mayYield) return granted;
    try {
      return await way.acquire({ ...once, waitMs: YIELD_MS });
    } catch (error) {
      if (error instanceof LockBusyError) return { holder: error.holder };
      throw error;
    }
  }

  private way({ queue, signal }: LockOptions) {
    const { book, name, resource, kind, held } = this;
    if (book.isClosed) throw new LockShutdownError(name);
    if (signal?.aborted) throw new LockWaitAbortedError(name, signal.reason);
    const named = book.open(held.bookName, name, resource, kind);
    return named[held.way === 'local' && queue === 'etcd' ? 'strict' : held.way];
  }
}

/** Runs what may throw before it gives a promise. */
export function rejecting<T>(run: () => Promise<T>): Promise<T> {
  try {
    return run();
  } catch (error) {
    return Promise.reject(error instanceof Error ? error : new Error(String(error)));
  }
}

/** The grant of a resource of a connection that a handle is, or holds among others. */
function heldBy(handle: LockHandle, resource: string, ground: object): LockHandle | null {
  const locks = handle instanceof MultiLockHandle ? handle.locks : [handle];
  const isIt = (lock: LockHandle) =>
    lock.fence.resource === resource && groundOf(lock) === ground && lock.isValid();
  return locks.find(isIt) ?? null;
}

function groundOf(lock: LockHandle): object | null {
  if (lock instanceof NestedLock) return groundOf(lock.outer);
  return lock instanceof OwnLock ? lock.ground : null;
}

function isReader(lock: LockHandle): boolean {
  if (lock instanceof NestedLock) return isReader(lock.outer);
  return lock instanceof OwnLock && lock.claim.shared;
}
