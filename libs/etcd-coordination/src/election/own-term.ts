import { LOCAL_GRANT, type Fence, type LocalGrant } from '../context/fence.js';
import { settledWithin } from '../client/settled-within.js';
import { checkedSignal } from '../session/checked-signal.js';
import type { SessionLease } from '../session/session-lease.js';
import type { LeaderTerm, TermEndReason } from './leader-term.js';
import { TermEndedError } from './term-ended.error.js';

const LOSSES: ReadonlySet<TermEndReason> = new Set(['session-lost', 'key-deleted', 'refused']);

/** A term of this process. It stands on the session's lease and ends with it at the latest. */
export class OwnTerm implements LeaderTerm {
  readonly signal: AbortSignal;
  private readonly controller = new AbortController();
  /** Resolve, and leave, when the work that they stand for settles. */
  private readonly running = new Set<Promise<void>>();
  private endedBy: TermEndReason | null = null;
  readonly fence: Fence;

  constructor(
    readonly election: string,
    fence: Fence,
    private readonly lease: SessionLease,
    /** Gives the candidate's key up in etcd. */
    private readonly giveUp: (reason: TermEndReason) => Promise<void>,
  ) {
    // Asking the lease ends it when its time is over, and that ends this term.
    this.signal = checkedSignal(this.controller, () => this.lease.isValid());
    this.fence = this.guarding(fence);
  }

  get epoch(): bigint {
    return this.fence.token;
  }

  isValid(): boolean {
    return this.endedBy === null && this.lease.isValid();
  }

  remainingMs(): number {
    return this.endedBy === null ? this.lease.remainingMs() : 0;
  }

  resign(): Promise<void> {
    return this.giveUp('resigned');
  }

  /** Ends the term here: whoever waits on the signal is told before this returns. */
  end(reason: TermEndReason): void {
    if (this.endedBy !== null) return;
    this.endedBy = reason;
    this.controller.abort(new TermEndedError(this.election, this.epoch, reason));
  }

  /**
   * Counts `work` as running under this term until it settles. Give the result on in its
   * place: a rejection that nobody handles then stays one.
   */
  track<T>(work: Promise<T>): Promise<T> {
    let settled!: () => void;
    const running = new Promise<void>((resolve) => (settled = resolve));
    this.running.add(running);
    return work.finally(() => {
      this.running.delete(running);
      settled();
    });
  }

  /** Resolves when nothing runs under this term any more, with true, or after `budgetMs`, with false. */
  async drained(budgetMs: number): Promise<boolean> {
    const { clock } = this.lease;
    const end = clock.now() + budgetMs;
    // What runs may start more before it ends.
    while (this.running.size > 0) {
      const left = end - clock.now();
      if (left <= 0) return false;
      await settledWithin(clock, Promise.all(this.running), left);
    }
    return true;
  }
  /**
   * The fence, refused here once the term is lost, before etcd is asked. One that was given up goes on
   * until its key is gone: the work that drains may need to write its end.
   */
  private guarding(fence: Fence): Fence {
    const grant: LocalGrant = {
      key: fence.key,
      isValid: () => this.lease.isValid() && !(this.endedBy && LOSSES.has(this.endedBy)),
      guard: (write) => write(),
    };
    return Object.defineProperty({ ...fence }, LOCAL_GRANT, { value: grant, enumerable: false });
  }
}
