import { lockQueuePrefix, permitsKey } from '../client/keys.js';
import { settledWithin } from '../client/settled-within.js';
import type { QueueGround, QueueKind } from './queue-ground.js';
import { LockCheck } from './lock-check.js';
import type { LockHandle } from './lock-handle.js';
import { LockLostError, SemaphorePermitsError } from './lock.errors.js';
import { assertLockName } from './lock-name.js';
import type { LockTurns } from './lock-options.js';
import { NamedLock } from './named-lock.js';
import { lockRule } from './queue-entry.js';
import { runWithLock } from './run-with-lock.js';
import { SingleLock } from './single-lock.js';

/** How many locks are remembered though this process has nothing to do with them: it may have again soon. */
const MOST_UNUSED = 1000;

/** Everything that this process holds or waits for. */
export class LockBook {
  private readonly named = new Map<string, NamedLock>();
  /** Work of `using` that is under way. */
  private readonly running = new Set<Promise<unknown>>();
  private readonly check: LockCheck;
  private draining = false;
  private closed = false;

  constructor(
    readonly ground: QueueGround,
    private readonly turns: LockTurns,
  ) {
    const { client, session } = ground;
    this.check = new LockCheck(
      client,
      session,
      () => this.unobserved(),
      (claim) => claim.end('key-deleted'),
    );
  }

  /** Whether nobody is to wait any more. */
  get isDraining(): boolean {
    return this.draining;
  }

  get isClosed(): boolean {
    return this.closed;
  }

  /**
   * The lock of a name, for reading or for writing.
   *
   * @throws InvalidLockNameError for a name that none can have
   */
  lock(name: string, shared: boolean): SingleLock {
    const way = shared ? 'shared' : 'local';
    // Whatever is in the book has been looked at.
    if (!this.named.has(name)) assertLockName(name);
    return new SingleLock(this, name, `lock/${name}`, null, { way, bookName: name });
  }

  /** What this process has to do with a lock, which it is asked for anew each time: it may be forgotten meanwhile. */
  open(bookName: string, name: string, resource: string, kind: QueueKind | null): NamedLock {
    let named = this.named.get(bookName);
    const permits = kind?.condition?.permits;
    if (named && named.permits !== permits) {
      // Two numbers would stand in one queue with the same keys.
      if (named.isClaimed) {
        const key = permitsKey(this.ground.namespace, name);
        throw new SemaphorePermitsError(name, permits!, named.permits!, key);
      }
      named.close();
      named = undefined;
    }
    if (!named) {
      const forget = () => {
        const isFull = this.named.size > MOST_UNUSED;
        if (isFull && this.named.get(bookName) === named) this.named.delete(bookName);
      };
      const queue = kind ?? this.queueOf(name);
      named = new NamedLock(this.ground, queue, resource, this.turns, forget);
      this.named.set(bookName, named);
      this.check.start();
    }
    return named;
  }

  /** Whether work of this process has the lock of that name; one that is only kept, or withheld, is not held. */
  isHeld(name: string): boolean {
    return this.named.get(name)?.isHeld ?? false;
  }

  /** Runs `work` under a lock that was granted, and counts it as running, streams that it returns included. */
  run<T, H extends LockHandle>(lock: H, work: (lock: H) => T | PromiseLike<T>): Promise<T> {
    if (!lock.isValid()) {
      return Promise.reject(new LockLostError(lock.key, lock.token, 'session-lost'));
    }
    const track = (over: Promise<unknown>) => this.track(over);
    const running = runWithLock(lock, () => work(lock), {
      track,
      clock: this.ground.client.clock,
    });
    this.track(running);
    return running;
  }

  async drain(budgetMs: number): Promise<void> {
    this.draining = true;
    for (const named of [...this.named.values()]) named.drain();
    const { clock } = this.ground.client;
    const end = clock.now() + budgetMs;
    // What runs may start more before it ends.
    while (this.running.size > 0) {
      const left = end - clock.now();
      if (left <= 0) return;
      await settledWithin(clock, Promise.allSettled(this.running), left);
    }
  }

  close(): Promise<void> {
    this.draining = this.closed = true;
    this.check.stop();
    for (const named of [...this.named.values()]) named.close();
    this.named.clear();
    return Promise.resolve();
  }

  private track(work: Promise<unknown>): void {
    const over = () => void this.running.delete(work);
    this.running.add(work);
    work.then(over, over);
  }

  private queueOf(name: string): QueueKind {
    return { name, prefix: lockQueuePrefix(this.ground.namespace, name), rule: lockRule };
  }

  private *unobserved() {
    for (const named of this.named.values()) yield* named.unobserved;
  }
}
