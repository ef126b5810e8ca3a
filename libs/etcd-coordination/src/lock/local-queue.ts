import type { SessionLease } from '../session/session-lease.js';
import type { Claim } from './claim.js';
import type { Found } from './claim-entrance.js';
import type { ClaimQueue } from './claim-queue.js';
import type { QueueGround } from './queue-ground.js';
import { grantHeld } from './grant-held.js';
import type { LockLossReason } from './lock-handle.js';
import type { LockOptions, LockTurns } from './lock-options.js';
import { LockWait } from './lock-wait.js';
import { leaseAtOnce } from './lease-at-once.js';
import { LockShutdownError, LockWaitAbortedError } from './lock.errors.js';
import { MOST_TURNS, OwnLock, type LockOrigin } from './own-lock.js';
import { QueueFollowing } from './queue-following.js';

/** How many grants there may be without a turn of the event loop in between. */
const MOST_IN_A_ROW = 64;

const DONE = Promise.resolve();

/**
 * Those of this process who want one lock. They queue here, behind one key in etcd, and pass the lock
 * on among them without a call: for as long as they like while nobody else waits, for a bounded
 * number of turns or milliseconds while another process does. Then the key is exchanged for one at
 * the end of the queue, in one transaction.
 */
export class LocalQueue implements LockOrigin {
  private waiting: LockWait[] = [];
  /** The key that stands for all of them. */
  private claim: Claim | null = null;
  private holder: OwnLock | null = null;
  /** Grants behind the claim's key so far. */
  private turns = 0;
  private tenureSince = 0;
  /** Grants since the event loop was let turn. */
  private inARow = 0;
  private yielding = false;
  private keep = false;
  private readonly following: QueueFollowing;
  private starting = false;
  /** The deletion of the last key, which the next one waits for: it would stand behind it. */
  private leaving: Promise<unknown> | null = null;
  private closing = false;

  constructor(
    readonly name: string,
    readonly resource: string,
    readonly ground: QueueGround,
    private readonly queue: ClaimQueue,
    private readonly limits: LockTurns,
    /** It is idle, and may be forgotten. */
    private readonly idle: () => void,
  ) {
    this.following = new QueueFollowing(queue);
  }

  /** Whether nobody of this process holds the lock or wants it. */
  get isIdle(): boolean {
    return !this.holder && !this.claim && this.waiting.length === 0 && !this.starting;
  }

  /** Whether work of this process has it, rather than nobody, for whom it is kept. */
  get isHeld(): boolean {
    return this.holder?.isValid() ?? false;
  }

  acquire(options: LockOptions): Promise<OwnLock> {
    if (this.mayGrantNow(options)) return Promise.resolve(this.take(options));
    const wait: LockWait = new LockWait(
      this.ground.client.clock,
      this.name,
      options,
      () => this.heldBy(),
      () => (this.holder ? null : this.claim?.trouble),
      () => this.leave(wait),
    );
    this.waiting.push(wait);
    this.pump();
    return wait.granted;
  }

  /** Grants it if nobody has it or waits for it, anywhere; otherwise tells who does. */
  async acquireIfFree(options: LockOptions): Promise<OwnLock | Found> {
    // A key that is being deleted is nobody's.
    while (this.leaving) await this.leaving;
    if (options.signal?.aborted) throw new LockWaitAbortedError(this.name, options.signal.reason);
    if (this.mayGrantNow(options)) return this.take(options);
    const { holder, claim, waiting } = this;
    if (holder || waiting.length > 0 || this.starting || (claim && claim.state !== 'granted')) {
      return { holder: this.ground.instanceId, mayYield: false };
    }
    const wait: LockWait = new LockWait(
      this.ground.client.clock,
      this.name,
      options,
      () => null,
      () => this.claim?.trouble,
      () => this.leave(wait),
    );
    this.waiting.push(wait);
    if (claim) this.pump();
    else {
      const found = await this.startIfFree(wait);
      if (found) return found;
    }
    return wait.granted;
  }

  giveBack(lock: OwnLock): Promise<void> {
    if (this.holder !== lock) return DONE;
    if (lock.hold) {
      lock.hold.end(() => {
        if (this.holder === lock) void this.passOn(lock);
      });
      return DONE;
    }
    return this.passOn(lock);
  }

  /** What the view tells has changed: a kept lock is given up once somebody else asks for it. */
  changed(): void {
    const { claim } = this;
    if (claim?.state === 'granted' && !this.holder && this.waiting.length === 0) {
      if (!this.keep || this.queue.seesOthers(claim)) void this.retire(claim);
    }
    if (this.isIdle) this.idle();
  }

  /** Refuses those who wait, and from now on all who would have to. */
  drain(): void {
    this.closing = true;
    this.keep = false;
    for (const wait of [...this.waiting]) wait.giveUp(new LockShutdownError(this.name));
    this.changed();
  }

  close(): void {
    this.drain();
    this.holder?.hold?.leave();
    this.holder?.lose('shutdown');
  }

  private mayGrantNow({ holdAtLeastMs }: LockOptions): boolean {
    return (
      this.claim?.state === 'granted' &&
      !this.holder &&
      this.waiting.length === 0 &&
      this.inARow < MOST_IN_A_ROW &&
      !holdAtLeastMs &&
      this.claim.lease.isValid()
    );
  }

  private take({ keep = false }: LockOptions): OwnLock {
    const claim = this.claim!;
    // Only behind a key that says so: others would take it for held.
    this.keep = keep && claim.keep && !this.closing;
    this.inARow += 1;
    return (this.holder = new OwnLock(this, claim, this.turns++));
  }

  /** Does what is next: asks for the lock, or passes it to the first who waits. */
  private pump(): void {
    const { claim } = this;
    if (this.holder) {
      // To know whether others wait, by the time that it comes back.
      if (this.waiting.length > 0) this.following.begin();
      return;
    }
    if (!claim) {
      if (this.waiting.length > 0) void this.start();
      else if (this.isIdle) this.rest();
      return;
    }
    if (claim.state === 'granted') void this.serve(claim);
  }

  /** The lock is here, and free: for the next one here, or for other processes. */
  private serve(claim: Claim, mustRenew = false): Promise<void> {
    if (this.yielding) return DONE;
    if (this.waiting.length === 0) {
      if (!this.keep || mustRenew || this.queue.seesOthers(claim)) return this.retire(claim);
      this.following.begin();
      return DONE;
    }
    const isOver = this.turns > 0 && this.isTenureOver() && this.queue.mayOthersWait(claim);
    if (mustRenew || isOver) return this.exchange(claim);
    if (this.inARow >= MOST_IN_A_ROW) this.yieldToEvents();
    else this.grant(this.waiting.shift()!);
    return DONE;
  }

  /** Turns that await nothing would keep out the word that another process waits, and the session's keepalives. */
  private yieldToEvents(): void {
    this.yielding = true;
    setImmediate(() => {
      this.yielding = false;
      this.inARow = 0;
      this.pump();
    });
  }

  private grant(wait: LockWait): void {
    const lock = this.take(wait.options);
    // Most need not wait for a promise.
    if (wait.options.holdAtLeastMs) void grantHeld(this.ground, this.queue, wait, lock);
    else wait.grant(lock);
    if (this.waiting.length > 0) this.following.begin();
  }

  /** The lock came back: to the next one here, or to other processes. */
  private passOn(lock: OwnLock): Promise<void> {
    const { claim } = lock;
    this.holder = null;
    // Its loss was told to all by now.
    if (this.claim !== claim || claim.state !== 'granted') {
      this.pump();
      return DONE;
    }
    return this.serve(claim, lock.mayBeLate || this.turns >= MOST_TURNS);
  }

  /** Who has it, as far as this process knows. */
  private heldBy(): string | null {
    if (this.holder) return this.ground.instanceId;
    return this.queue.holder ?? this.claim?.behind?.id ?? null;
  }

  private isTenureOver(): boolean {
    const { localTurns, localMs } = this.limits;
    return this.turns >= localTurns || this.ground.client.clock.now() - this.tenureSince >= localMs;
  }

  private async start(): Promise<void> {
    if (this.starting) return;
    this.starting = true;
    try {
      while (this.leaving) await this.leaving;
      const lease = await this.ground.session.ready();
      const [first] = this.waiting;
      if (first && !this.claim) await this.enter(this.newClaim(lease, first.options));
    } catch (error) {
      for (const wait of this.waiting.splice(0)) wait.fail(error);
    } finally {
      this.starting = false;
    }
    if (!this.claim) this.pump();
  }

  private async startIfFree(wait: LockWait): Promise<Found | null> {
    let found: Found | null = null;
    this.starting = true;
    try {
      const lease = await leaseAtOnce(this.ground, wait.options.signal);
      const claim = this.newClaim(lease, wait.options);
      found = await this.queue.enterIfFree(claim);
      if (claim.state !== 'granted') {
        this.drop(claim);
        // Lost at once: whoever has it now.
        found ??= { holder: null, mayYield: false };
      }
    } catch (error) {
      this.drop(this.claim);
      wait.fail(error);
    } finally {
      this.starting = false;
      this.remove(wait);
      this.pump();
    }
    // What ended it meanwhile is its answer.
    if (!found || wait.isOver) return null;
    wait.cancel();
    return found;
  }

  private newClaim(lease: SessionLease, { keep = false }: LockOptions): Claim {
    const claim: Claim = this.queue.claim(
      lease,
      {
        granted: () => {
          this.turns = 0;
          this.tenureSince = this.ground.client.clock.now();
          this.pump();
        },
        lost: (reason) => this.lost(claim, reason),
      },
      { keep },
    );
    return (this.claim = claim);
  }

  private async enter(claim: Claim, leaving?: Claim): Promise<void> {
    try {
      await this.queue.enter(claim, leaving);
    } catch (error) {
      this.drop(claim);
      throw error;
    }
    if (claim.state === 'waiting') this.following.begin();
    // They have all given up meanwhile.
    if (this.claim === claim && this.waiting.length === 0 && !this.holder) void this.giveUp(claim);
  }

  /** Goes back to the end of the queue, and lets go of the lock, at once. */
  private async exchange(claim: Claim): Promise<void> {
    const { lease } = claim;
    const next = this.newClaim(lease, this.waiting[0]!.options);
    try {
      await this.enter(next, claim);
    } catch (error) {
      for (const wait of this.waiting.splice(0)) wait.fail(error);
      this.pump();
    }
  }

  private lost(claim: Claim, reason: LockLossReason): void {
    if (this.holder?.claim === claim) {
      this.holder.hold?.leave();
      this.holder.lose(reason);
      this.holder = null;
    }
    this.drop(claim);
    this.pump();
  }

  private drop(claim: Claim | null): void {
    if (claim && this.claim === claim) this.claim = null;
  }

  /** Deletes the key of a lock that nobody here holds. */
  private async retire(claim: Claim): Promise<void> {
    this.drop(claim);
    const leaving = this.queue.withdraw(claim);
    this.leaving = leaving;
    await leaving;
    if (this.leaving === leaving) this.leaving = null;
    this.pump();
  }

  private leave(wait: LockWait): Promise<unknown> {
    this.remove(wait);
    const { claim } = this;
    if (this.waiting.length > 0 || this.holder || !claim || claim.state === 'granted') {
      return DONE;
    }
    return this.giveUp(claim);
  }

  private giveUp(claim: Claim): Promise<void> {
    // Granted, it is for the next who comes, or retired.
    if (claim.state === 'granted') this.pump();
    return claim.state === 'granted' ? Promise.resolve() : this.retire(claim);
  }

  private remove(wait: LockWait): void {
    const at = this.waiting.indexOf(wait);
    if (at >= 0) this.waiting.splice(at, 1);
  }

  private rest(): void {
    this.following.end();
    this.idle();
  }
}
