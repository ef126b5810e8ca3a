import type { Fence } from '../context/fence.js';

/**
 * Why a term ended: the `reason` of the `TermEndedError` with which its signal aborts.
 *
 * - `resigned`: `resign()` was called
 * - `left`: this process left the election
 * - `session-lost`: the session's lease ended, or is no longer certain to stand
 * - `key-deleted`: the candidate's key was deleted in etcd by somebody else
 * - `refused`: etcd no longer shows this process the election
 * - `shutdown`: the application is shutting down
 */
export type TermEndReason =
  'resigned' | 'left' | 'session-lost' | 'key-deleted' | 'refused' | 'shutdown';

/**
 * One reign of this process over one election, from its win to its end. A new
 * win is a new term with a larger {@link epoch}.
 */
export interface LeaderTerm {
  /** The election's name. */
  readonly election: string;
  /** The fencing token: an etcd revision, larger than the epoch of every earlier term of this election. */
  readonly epoch: bigint;
  /** What a guarded write compares, see {@link Fence}. */
  readonly fence: Fence;
  /**
   * Aborts when the term ends, before anyone else can win; only when somebody deletes the
   * candidate's key or revokes its lease by hand does it abort as soon as the watch tells.
   * Reading `aborted` asks the clock, so it is right even when the event loop was blocked.
   */
  readonly signal: AbortSignal;
  /** Whether this process leads now, by the monotonic clock. Makes no call. */
  isValid(): boolean;
  /** Milliseconds for which the term is certain if no further keepalive is answered; 0 when it ended. */
  remainingMs(): number;
  /** Ends the term and hands over to the next candidate. Resolves when etcd has taken it. Never rejects. */
  resign(): Promise<void>;
}
