import type { Note } from '../history/note.js';

/**
 * What each process notes of one service, of which it is an instance under its own name (`process`), and which it
 * follows and calls. A list was read after the moment of its note, so it is no older than that.
 */
export type RegistryNote = Note &
  (
    | /** The registration stands for the first time. */
      { readonly type: 'registered' }
      /** Every list that is shown: the first one, and one for each change. */
    | { readonly type: 'listed'; readonly list: readonly ListedInstance[] }
    | {
        readonly type: 'looked';
        readonly list: readonly ListedInstance[];
        /** What the list says of its age; infinite is null in JSON. */
        readonly ageMs: number | null;
        /** The longest that this process was held up since it looked last. */
        readonly heldUpMs: number;
        /** What its own registration says of itself. */
        readonly registered: boolean;
      }
    /** The record of that instance, as an operator does it: past the library. */
    | { readonly type: 'deleted'; readonly id: string }
    | { readonly type: 'calling'; readonly call: number }
    /** By the instance of that id. */
    | { readonly type: 'answered'; readonly call: number; readonly by: string }
    | {
        readonly type: 'failed';
        readonly call: number;
        readonly code: string;
        readonly message: string;
      }
    /** The process ended while it called. */
    | { readonly type: 'abandoned'; readonly call: number }
  );

/** Id, create revision (decimal), state, and whether it is protected: kept though it is gone from etcd. */
export type ListedInstance = readonly [
  id: string,
  createRevision: string,
  state: string,
  isProtected: boolean,
];

export type ListNote = RegistryNote & { readonly type: 'listed' | 'looked' };
export type LookNote = RegistryNote & { readonly type: 'looked' };

export function isList(note: RegistryNote): note is ListNote {
  return note.type === 'listed' || note.type === 'looked';
}

export function isLook(note: RegistryNote): note is LookNote {
  return note.type === 'looked';
}

/** How often a call is tried at the most, all instances together. */
export const CALL_ATTEMPTS = 10;
/** How long an attempt may take: an instance that runs answers in five turns of two event loops. */
export const ATTEMPT_MS = 1500;
/** A process that was held up for no longer than this at a time has run. */
export const RUNS_MS = 250;
