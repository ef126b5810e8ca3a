import type { Note } from '../history/note.js';

/** What those who read and write registers and counters note down: a call, and how it came back. */
export type RegisterNote = Note & { readonly operation: string; readonly register: string } & (
    | ({ readonly type: 'invoked' } & RegisterCall)
    | {
        readonly type: 'returned';
        /** `failed`: certain to have changed nothing. `unknown`: it may have happened, or may happen yet. */
        readonly outcome: 'ok' | 'failed' | 'unknown';
        /**
         * What a read showed, what an increment made of it, whether a compare-and-set took place (`true` or
         * `false`); of what is `ok` alone.
         */
        readonly result?: string | null;
        readonly code?: string;
      }
  );

/** Registers begin as null, counters as 0; all values are texts, different for each write. */
export type RegisterCall =
  | { readonly call: 'read' }
  | { readonly call: 'write'; readonly value: string }
  | { readonly call: 'cas'; readonly expected: string | null; readonly value: string }
  /** Answers with the sum; of what is positive. */
  | { readonly call: 'add'; readonly by: number };
