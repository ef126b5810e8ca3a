import type { Note } from '../history/note.js';

/**
 * What each process notes of the keys that it alone writes, through a batcher, several at once. A value is
 * `<process>/<number of the write>`: no other write has it, and of a key the greater number was asked for later.
 */
export type BatchNote = Note &
  (
    | { readonly type: 'writing'; readonly write: number; readonly key: string }
    | { readonly type: 'written'; readonly write: number; readonly revision: string }
    /** It was told that nothing was written, or that nobody knows. */
    | {
        readonly type: 'failed';
        readonly write: number;
        readonly outcome: 'refused' | 'unknown';
        readonly code: string;
      }
    | { readonly type: 'reading'; readonly read: number; readonly key: string }
    | { readonly type: 'read'; readonly read: number; readonly value: string | null }
    | { readonly type: 'unread'; readonly read: number; readonly code: string }
  );

/** What a key holds after a write. */
export function batchedValue(process: string, write: number): string {
  return `${process}/${write}`;
}

/** The number of the write that left it there. */
export function writeOf(value: string): number {
  return Number(value.slice(value.lastIndexOf('/') + 1));
}
