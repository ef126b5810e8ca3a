import type { Note } from '../history/note.js';

/** What those who watch note down. A subscription's id is unique in the run, such as `2.1/w3`. */
export type WatchNote = Note & { readonly watch: string } &
  /** `from`: the history was asked for, from this revision on. */
  (
    | { readonly type: 'subscribed'; readonly prefix: string; readonly from?: string }
    /** From this revision on nothing can be missed (`onStanding`). */
    | { readonly type: 'stood'; readonly revision: string }
    /** What one call of the subscriber's, or one batch of calls within a turn, was given, in that order. */
    | { readonly type: 'told'; readonly events: readonly ToldEvent[] }
    /** The watch ended by itself, or was ended (`code` empty). */
    | { readonly type: 'ended'; readonly code: string }
    /** What a watched state showed, key by key with the `mod_revision`s, when it was looked at. */
    | {
        readonly type: 'showed';
        readonly synced: boolean;
        /** The state's own revision: all that was written up to it is in it. */
        readonly revision: string;
        readonly keys: readonly (readonly [key: string, revision: string])[];
      }
  );

/** `[type, key, revision, value, resync]`, keys without the namespace; short, for there are many. */
export type ToldEvent = readonly [
  type: 'put' | 'delete',
  key: string,
  revision: string,
  value: string,
  resync: boolean,
];
