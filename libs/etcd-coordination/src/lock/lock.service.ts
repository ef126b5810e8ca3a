import type { EtcdClient } from '../client/etcd-client.js';
import { TxnMerger } from '../client/txn-merger.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { QueueGround } from './queue-ground.js';
import { LockBook } from './lock-book.js';
import type { LockHandle } from './lock-handle.js';
import { assertLockName } from './lock-name.js';
import type { Lock, LockOptions, LockTurns, ReadWriteLock } from './lock-options.js';
import { MultiLock } from './multi-lock.js';
import { assertPermits, SemaphorePermits } from './semaphore-permits.js';
import { rejecting, SingleLock } from './single-lock.js';

/** How a process passes a lock on among its own, unless it is told otherwise. */
export const DEFAULT_TURNS: LockTurns = { localTurns: 16, localMs: 50 };

/**
 * Distributed locks: of any number of processes that ask for a name, one has it at a time, in the
 * order in which they came, each with a fencing token that exceeds all earlier ones.
 *
 * A lock is a prefix in etcd under which every process that wants it puts a key on its session's
 * lease; the key with the lowest create revision has it. To take a free one is one transaction, to
 * give it back another; locks that are taken in the same turn of the event loop share theirs. A
 * grant ends with the session's lease, which this process knows of before anybody else can win.
 */
export class LockService {
  private readonly book: LockBook;
  private readonly ground: QueueGround;

  constructor(deps: {
    readonly client: EtcdClient;
    readonly session: EtcdSession;
    readonly watch: WatchHub;
    readonly namespace: string;
    readonly instanceId: string;
    readonly turns?: LockTurns;
  }) {
    const { client, turns = DEFAULT_TURNS, ...rest } = deps;
    // There is time for another attempt, at another member, within the deadline of a registration.
    const merger = new TxnMerger(client, () => client.options.timeouts.registration / 3);
    this.ground = { ...rest, client, merger };
    this.book = new LockBook(this.ground, turns);
  }

  /**
   * Resolves with the lock of that name once it is won; it stays until released.
   *
   * @throws InvalidLockNameError, InvalidLockOptionError, before anything is done
   * @throws LockBusyError after `waitMs`, or what etcd fails with if that is why it was not had
   * @throws LockWaitAbortedError when the signal aborts
   * @throws LockReentryError if the running call chain holds it, unless `reentrant`; LockUpgradeError
   *   if it holds it for reading
   * @throws LockShutdownError when the application is shutting down
   */
  acquire(key: string, options?: LockOptions): Promise<LockHandle> {
    return rejecting(() => this.single(key, false).acquire(options));
  }

  /**
   * As {@link acquire} without waiting: null if somebody else has it or waits for it. A process that
   * only keeps the lock (`keep`) is asked for it, and gets a quarter of a second to give it up.
   */
  tryAcquire(key: string, options?: Omit<LockOptions, 'waitMs'>): Promise<LockHandle | null> {
    return rejecting(() => this.single(key, false).tryAcquire(options));
  }

  /**
   * Runs `work` under the lock of that name, see {@link Lock.using}.
   *
   * @throws LockLostError if the lock was lost meanwhile, once the work has stopped
   */
  using<T>(
    key: string,
    work: (lock: LockHandle) => T | PromiseLike<T>,
    options?: LockOptions,
  ): Promise<T> {
    return rejecting(() => this.single(key, false).using(work, options));
  }

  /**
   * The lock of a name, as an object. Makes no call.
   *
   * @throws InvalidLockNameError for a name that none can have
   */
  lock(key: string): Lock {
    return this.single(key, false);
  }

  /**
   * A lock that many may read under, or one write; to write is to have the lock of that name. They are
   * served in the order in which they came, so neither side starves.
   *
   * @throws InvalidLockNameError for a name that none can have
   */
  readWrite(key: string): ReadWriteLock {
    return { read: this.single(key, true), write: this.single(key, false) };
  }

  /**
   * A semaphore: up to `permits` hold it at a time. The number is kept in etcd from the first use on,
   * and stays; one that differs is refused when a permit is asked for, with a SemaphorePermitsError.
   * Its fences guard writes while a permit stands; as several hold one at a time, a newer token does
   * not mean that an older one is over.
   *
   * @param permits an integer from 1 to 1,000,000
   * @throws InvalidLockNameError for a name that none can have, InvalidLockOptionError for a number
   */
  semaphore(key: string, permits: number): Lock {
    assertLockName(key);
    assertPermits(key, permits);
    const kind = new SemaphorePermits(this.ground, key, permits).kind();
    return new SingleLock(this.book, key, `semaphore/${key}`, kind, {
      way: 'strict',
      // No lock has such a name.
      bookName: `//semaphore/${key}`,
    });
  }

  /**
   * All of several locks, or none. They are taken one by one in one order that is the same everywhere,
   * so that two who want the same ones cannot wait for each other; a name that is given twice is
   * taken once.
   *
   * @throws InvalidLockNameError for a name that none can have, InvalidLockOptionError for no name at all
   */
  multi(keys: readonly string[]): MultiLock {
    return new MultiLock(keys, this.book);
  }

  /** @internal Whether work of this process has the lock of that name, rather than keeps it for what comes. */
  isHeld(key: string): boolean {
    return this.book.isHeld(key);
  }

  /**
   * The first step of a shutdown: those who wait are refused, and all who would have to; what runs in
   * `using` gets up to `budgetMs` to end. Resolves then. Never rejects.
   */
  drain(budgetMs: number): Promise<void> {
    return this.book.drain(budgetMs);
  }

  /** The last step: what is still held is lost, with the reason `shutdown`. Its keys go with the lease. */
  close(): Promise<void> {
    return this.book.close();
  }

  private single(key: string, shared: boolean): SingleLock {
    return this.book.lock(key, shared);
  }
}
