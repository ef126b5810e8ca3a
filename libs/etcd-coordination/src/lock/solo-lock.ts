import type { Claim } from './claim.js';
import type { Found } from './claim-entrance.js';
import type { ClaimQueue } from './claim-queue.js';
import type { QueueGround } from './queue-ground.js';
import { grantHeld } from './grant-held.js';
import type { LockOptions } from './lock-options.js';
import { LockWait } from './lock-wait.js';
import { leaseAtOnce } from './lease-at-once.js';
import { LockShutdownError } from './lock.errors.js';
import { OwnLock, type LockOrigin } from './own-lock.js';
import { QueueFollowing } from './queue-following.js';

/**
 * Those of this process who each stand in the queue with a key of their own: readers, holders of a
 * semaphore's permits, and writers who want to be served strictly in the order in which all
 * processes came.
 */
export class SoloLock implements LockOrigin {
  private readonly waiting = new Map<LockWait, Claim | null>();
  private readonly held = new Set<OwnLock>();
  private readonly following: QueueFollowing;

  constructor(
    readonly name: string,
    readonly resource: string,
    readonly ground: QueueGround,
    private readonly queue: ClaimQueue,
    private readonly shared: boolean,
    /** It is idle, and may be forgotten. */
    private readonly idle: () => void,
  ) {
    this.following = new QueueFollowing(queue);
  }

  /** Whether nobody of this process holds it or wants it. */
  get isIdle(): boolean {
    return this.waiting.size === 0 && this.held.size === 0;
  }

  /** Whether work of this process has it. */
  get isHeld(): boolean {
    return [...this.held].some((lock) => lock.isValid());
  }

  acquire(options: LockOptions): Promise<OwnLock> {
    const wait = this.wait(options);
    void this.enter(wait);
    return wait.granted;
  }

  /** Grants it if that is so at once; otherwise tells who came before. */
  async acquireIfFree(options: LockOptions): Promise<OwnLock | Found> {
    const wait = this.wait(options);
    await this.enter(wait, true);
    const claim = this.waiting.get(wait);
    if (!claim || wait.isOver) return wait.granted;
    wait.cancel();
    await this.leave(wait);
    return { holder: claim.behind?.id ?? null, mayYield: claim.behind?.keep ?? false };
  }

  async giveBack(lock: OwnLock): Promise<void> {
    if (lock.hold) {
      lock.hold.end(() => void this.putBack(lock));
      return;
    }
    await this.putBack(lock);
  }

  drain(): void {
    for (const wait of [...this.waiting.keys()]) wait.giveUp(new LockShutdownError(this.name));
  }

  close(): void {
    this.drain();
    for (const lock of this.held) {
      lock.hold?.leave();
      lock.lose('shutdown');
    }
  }

  private wait(options: LockOptions): LockWait {
    const wait: LockWait = new LockWait(
      this.ground.client.clock,
      this.name,
      options,
      () => this.queue.holder ?? this.waiting.get(wait)?.behind?.id ?? null,
      () => this.waiting.get(wait)?.trouble,
      () => this.leave(wait),
    );
    this.waiting.set(wait, null);
    return wait;
  }

  /** Resolves when the key stands, or it is certain that it never will. */
  private async enter(wait: LockWait, once = false): Promise<void> {
    try {
      const { signal } = wait.options;
      const { session } = this.ground;
      const lease = await (once ? leaseAtOnce(this.ground, signal) : session.ready(signal));
      if (wait.isOver) return;
      let lock: OwnLock | undefined;
      const claim: Claim = this.queue.claim(
        lease,
        {
          granted: () => {
            // Whoever gave up sees to the key.
            if (wait.isOver) return;
            lock = this.take(claim);
            this.waiting.delete(wait);
            void grantHeld(this.ground, this.queue, wait, lock);
          },
          lost: (reason) => {
            lock?.hold?.leave();
            lock?.lose(reason);
            if (lock) this.forget(lock);
            // Once more, from the end of the queue.
            else if (!wait.isOver && !once) void this.enter(wait);
          },
        },
        { shared: this.shared },
      );
      this.waiting.set(wait, claim);
      await this.queue.enter(claim, undefined, !once);
      if (claim.state === 'waiting') this.following.begin();
    } catch (error) {
      wait.fail(error);
      await this.leave(wait);
    }
  }

  private take(claim: Claim): OwnLock {
    const lock = new OwnLock(this, claim, 0);
    this.held.add(lock);
    return lock;
  }

  private async putBack(lock: OwnLock): Promise<void> {
    if (!this.held.has(lock)) return;
    await this.queue.withdraw(lock.claim, !lock.mayBeLate);
    this.forget(lock);
  }

  private forget(lock: OwnLock): void {
    if (this.held.delete(lock)) this.rest();
  }

  private async leave(wait: LockWait): Promise<void> {
    const claim = this.waiting.get(wait);
    if (!this.waiting.delete(wait)) return;
    if (claim) await this.queue.withdraw(claim);
    this.rest();
  }

  private rest(): void {
    if (!this.isIdle) return;
    this.following.end();
    this.idle();
  }
}
