import type { Note } from '../history/note.js';

/**
 * What those who own something (a lock, a leadership) note down, whatever the system. Moments are the machine's
 * monotonic clock's; tokens are decimal. The rules are in this folder: `one-owner.ts`, `tokens.ts`, …
 */
export type OwnershipNote = Note & { readonly of: string } & (
    | (Grant & {
        readonly type: 'granted';
        readonly how: string;
        /** As a reader has it: others who share it may own it at the same time. */
        readonly shared?: true;
      })
    /** `isValid()` was true before the moment was read, and again after it. */
    | (Grant & { readonly type: 'valid' })
    /** `isValid()` was false, or the signal had aborted, for the first time. */
    | (Grant & { readonly type: 'lost'; readonly reason: string })
    /** The owner is about to give it back, or its work to end. */
    | (Grant & { readonly type: 'released' })
    /** Nothing had run for `gapMs`; what the very next statements saw, in this order. */
    | (Grant & {
        readonly type: 'woke';
        readonly gapMs: number;
        readonly valid: boolean;
        readonly aborted: boolean;
        readonly validAfter: boolean;
        /** `aborted` was asked before `valid`. */
        readonly signalFirst?: boolean;
      })
    /** A guarded write is about to be sent; `valid` was asked just before. */
    | (Grant & {
        readonly type: 'sent';
        readonly write: string;
        readonly guard: WriteGuard;
        readonly valid: boolean;
        /** Sent on purpose by an owner that had just woken up, or knew that it had lost. */
        readonly late: boolean;
      })
    | (Grant & {
        readonly type: 'answered';
        readonly write: string;
        readonly outcome: 'accepted' | 'refused' | 'unknown';
        readonly code: string;
      })
    /** How `using` ended, and whether the lock was valid in the last statement of its work. */
    | (Grant & {
        readonly type: 'used';
        readonly outcome: 'resolved' | 'lost';
        readonly validAtEnd: boolean;
      })
    /** An attempt that ended without it, by an error that says so. */
    | { readonly type: 'without'; readonly code: string }
  );

interface Grant {
  readonly token: string;
}

/**
 * - `raw`: a transaction that compares the fence's key itself, as any client of etcd can send it
 * - `fenced`: one of `EtcdTransactions.fenced`
 * - `none`: a bare put, where the system has no fence (plain etcd3)
 */
export type WriteGuard = 'raw' | 'fenced' | 'none';

/** How many grants there may be behind one key of a lock, in bits of their tokens. */
const TURN_BITS = 20n;

/** The create revision of the key that a grant stands by: of a lock, its token has the number of the grant besides. */
export function createRevisionOf(grant: { readonly of: string; readonly token: string }): bigint {
  const token = BigInt(grant.token);
  return grant.of.startsWith('lock/') && token >> TURN_BITS > 0n ? token >> TURN_BITS : token;
}
