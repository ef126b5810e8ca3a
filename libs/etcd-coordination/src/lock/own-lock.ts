import type { Fence, LocalGrant } from '../context/fence.js';
import { checkedSignal } from '../session/checked-signal.js';
import type { Claim } from './claim.js';
import type { HoldKey } from './hold-key.js';
import { LockFence } from './lock-fence.js';
import type { LockHandle, LockLossReason } from './lock-handle.js';
import { LockLostError } from './lock.errors.js';

/** How many grants there may be behind one key, in bits. */
const TURN_BITS = 20n;

/** The most grants behind one key. */
export const MOST_TURNS = 2 ** Number(TURN_BITS);

const DONE = Promise.resolve();

/** What a grant was of, and to whom it goes back. */
export interface LockOrigin {
  /** The lock's or the semaphore's name. */
  readonly name: string;
  /** What its fences say that they are of. */
  readonly resource: string;
  /** The connection that it is of. */
  readonly ground: object;
  giveBack(lock: OwnLock): Promise<void>;
}

/** A grant of a lock to this process. It stands on the session's lease and ends with it at the latest. */
export class OwnLock implements LockHandle {
  /** Keeps others from getting it too early, see `holdAtLeastMs`. */
  hold: HoldKey | null = null;
  private controller: AbortController | null = null;
  private checked: AbortSignal | null = null;
  private ownFence: LockFence | null = null;
  private lostBy: LockLossReason | null = null;
  private releasing: Promise<void> | null = null;
  /** Writes that it guards and that may yet be applied. */
  private unsettled = 0;
  /** Whether somebody has read the fence's key, and may have handed it to another process. */
  private shared = false;

  constructor(
    private readonly origin: LockOrigin,
    readonly claim: Claim,
    /** The number of the grant behind the claim's key. */
    private readonly turn: number,
  ) {}

  get key(): string {
    return this.origin.name;
  }

  /** The connection that it is of: another one may have a lock of the same name. */
  get ground(): object {
    return this.origin.ground;
  }

  get token(): bigint {
    return (this.claim.revision! << TURN_BITS) | BigInt(this.turn);
  }

  get fence(): Fence {
    return (this.ownFence ??= this.newFence());
  }

  get signal(): AbortSignal {
    if (!this.checked) {
      this.controller = new AbortController();
      // Asking the lease ends it when its time is over, and that ends this grant.
      this.checked = checkedSignal(this.controller, () => this.claim.lease.isValid());
      this.abort();
    }
    return this.checked;
  }

  /**
   * Whether a write that this grant guards may come later than its release: then the next grant
   * must have another key.
   */
  get mayBeLate(): boolean {
    return this.shared || this.unsettled > 0;
  }

  isValid(): boolean {
    return this.releasing === null && this.lostBy === null && this.claim.lease.isValid();
  }

  remainingMs(): number {
    return this.isValid() ? this.claim.lease.remainingMs() : 0;
  }

  release(): Promise<void> {
    if (this.releasing) return this.releasing;
    // Lost: there is nothing to give back.
    if (!this.isValid()) return (this.releasing = DONE);
    // Set first: giving it back must find it over.
    this.releasing = DONE;
    return (this.releasing = this.origin.giveBack(this));
  }

  /** As {@link release}, of a grant that nobody got: it is not held for a span either. */
  async abandon(): Promise<void> {
    await this.hold?.cancel();
    this.hold = null;
    await this.release();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }

  /** It is lost: whoever waits on the signal is told before this returns. */
  lose(reason: LockLossReason): void {
    if (this.releasing !== null || this.lostBy !== null) return;
    this.lostBy = reason;
    this.abort();
  }

  private abort(): void {
    if (this.lostBy === null) return;
    this.controller?.abort(new LockLostError(this.key, this.token, this.lostBy));
  }

  private newFence(): LockFence {
    const grant: LocalGrant = {
      key: this.claim.key,
      isValid: () => this.isValid(),
      guard: async (write) => {
        this.unsettled += 1;
        const result = await write();
        // One that rejects is never counted back: it may yet be applied.
        this.unsettled -= 1;
        return result;
      },
    };
    const { resource } = this.origin;
    return new LockFence(resource, this.claim.revision!, this.token, grant, () => {
      this.shared = true;
      // Given back, the key may stand for the next grant by now.
      return this.releasing ? `${grant.key}/over` : grant.key;
    });
  }
}
