import type { SessionLease } from '../session/session-lease.js';
import { claimsOn } from './lease-claims.js';
import type { LockLossReason } from './lock-handle.js';
import type { LockRecord } from './lock-record.js';

/**
 * Where one key in a queue stands.
 *
 * - `entering`: it is being put
 * - `waiting`: it stands behind others
 * - `granted`: it has what the queue is for
 * - `over`: it was lost, or is given up; its key is gone, or is being deleted
 *
 * Nothing leads back: who comes again enters with another claim.
 */
export type ClaimState = 'entering' | 'waiting' | 'granted' | 'over';

/** Whom a claim tells. Neither may throw. */
export interface ClaimOwner {
  /** It has what the queue is for. */
  granted(): void;
  /** The key is gone, or no longer certain to stand. Told before anybody else can be granted. */
  lost(reason: LockLossReason): void;
}

/** One key of this process in the queue of a lock or a semaphore. */
export class Claim {
  state: ClaimState = 'entering';
  /** The revision at which its key was put, once that is known. */
  revision: bigint | null = null;
  /** When that became known, on the monotonic clock. */
  since = 0;
  /** A request to put the key was sent, and it is not known what came of it. */
  mayStand = false;
  /** Whether etcd has answered all that was sent: what may stand does already, or never will. */
  answered = false;
  /** Why its key could not be put so far, if that is so. */
  trouble: unknown = null;
  /** Who came first when it entered, if it had to wait. */
  behind: LockRecord | null = null;
  /** The view's era when the key was first looked for there. */
  era: number | null = null;
  /** What is being done to put the key; never rejects. */
  entering: Promise<unknown> = Promise.resolve();

  constructor(
    readonly key: string,
    readonly slot: number,
    /** Whether others may hold the lock beside it. */
    readonly shared: boolean,
    /** Whether the process may keep it when it no longer needs it. */
    readonly keep: boolean,
    readonly lease: SessionLease,
    private readonly owner: ClaimOwner,
  ) {
    claimsOn(lease).add(this);
  }

  /** Its key came to stand. */
  stand(revision: string): void {
    this.revision = BigInt(revision);
    this.since = this.lease.clock.now();
    this.mayStand = false;
    this.trouble = null;
  }

  grant(): void {
    if (this.state === 'granted' || this.state === 'over') return;
    // What tells of it may have waited for the event loop for longer than the lease stands: asking
    // the lease ends it then, and this with it.
    if (!this.lease.isValid()) return;
    this.state = 'granted';
    this.owner.granted();
  }

  /** It is over. Its owner is told why, unless it is the owner who ends it. */
  end(reason: LockLossReason | null): void {
    if (this.state === 'over') return;
    this.state = 'over';
    claimsOn(this.lease).delete(this);
    if (reason) this.owner.lost(reason);
  }
}
