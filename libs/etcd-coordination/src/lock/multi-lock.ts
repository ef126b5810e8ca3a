import type { LockBook } from './lock-book.js';
import type { LockHandle } from './lock-handle.js';
import type { Lock, LockOptions } from './lock-options.js';
import { InvalidLockOptionError } from './lock.errors.js';
import { MultiLockHandle } from './multi-handle.js';
import { OwnLock } from './own-lock.js';
import { readLockOptions } from './read-lock-options.js';
import type { SingleLock } from './single-lock.js';

/** Several locks that are had together or not at all. */
export class MultiLock implements Lock {
  private readonly locks: readonly SingleLock[];

  /**
   * @throws InvalidLockNameError for a name that none can have, InvalidLockOptionError for no name
   */
  constructor(
    keys: readonly string[],
    private readonly book: LockBook,
  ) {
    if (!Array.isArray(keys) || keys.length === 0) {
      throw new InvalidLockOptionError(
        String(keys),
        'keys',
        'is no list of names, or an empty one',
      );
    }
    const locks = keys.map((key) => book.lock(key, false));
    // In one order everywhere, or two who take the same ones could wait for each other.
    const byName = new Map(locks.map((lock) => [lock.name, lock]));
    this.locks = [...byName.keys()].sort(byBytes).map((name) => byName.get(name)!);
  }

  async acquire(options?: LockOptions): Promise<MultiLockHandle> {
    const { waitMs = Infinity, ...rest } = this.read(options);
    const { clock } = this.book.ground.client;
    const end = clock.now() + waitMs;
    const held = await this.collect((lock) => {
      const left = waitMs === Infinity ? {} : { waitMs: Math.max(0, end - clock.now()) };
      return lock.acquire({ ...rest, ...left });
    });
    // Nobody gives null here.
    return held!;
  }

  tryAcquire(options?: Omit<LockOptions, 'waitMs'>): Promise<MultiLockHandle | null> {
    return this.collect((lock) => lock.tryAcquire(options));
  }

  async using<T>(
    work: (lock: MultiLockHandle) => T | PromiseLike<T>,
    options?: LockOptions,
  ): Promise<T> {
    const held = await this.acquire(options);
    return this.book.run(held, work);
  }

  private read(options: LockOptions | undefined): LockOptions {
    return readLockOptions(this.locks.map(({ name }) => name).join(','), options);
  }

  /** Takes one after the other, and gives all of them back if one cannot be had. */
  private async collect(
    take: (lock: SingleLock) => Promise<LockHandle | null>,
  ): Promise<MultiLockHandle | null> {
    const taken: LockHandle[] = [];
    let complete = false;
    try {
      for (const lock of this.locks) {
        const handle = await take(lock);
        if (!handle) return null;
        taken.push(handle);
      }
      complete = true;
      return new MultiLockHandle(taken);
    } finally {
      if (!complete) await Promise.all(taken.map(abandon));
    }
  }
}

/** As etcd orders keys. Not by code units, of which the same names have others in other encodings. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Nobody got them together, so none is held for a span. */
function abandon(handle: LockHandle): Promise<void> {
  return handle instanceof OwnLock ? handle.abandon() : handle.release();
}
