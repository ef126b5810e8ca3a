import type { LifeNote } from '../history/note.js';
import { at } from './in-time.js';

/** Errors that the library should have spared its user. */
export function lifeFaults(notes: readonly LifeNote[]): string[] {
  return notes.flatMap((note) =>
    note.type === 'fault' ? [`${note.process} at ${at(note.t)}: ${note.message}`] : [],
  );
}
