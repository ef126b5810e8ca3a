import type { Note } from '../../history/note.js';
import type { NoteTaker } from '../../history/notebook.js';
import { codeOf } from '../owned/owner.js';
import type { Pace } from '../pace.js';
import type { Ground } from '../work.js';
import { KEYS } from './watched-keys.js';

/** A change of a key; null deletes it. */
export type Change = readonly [key: string, value: string | null];

/** How a system writes. Rejects if it fails, or may have. */
export interface WatchedWrites {
  one(change: Change): Promise<void>;
  /** At one revision. */
  together(changes: readonly Change[]): Promise<void>;
  /** Whether an error of these is one that nobody should see. */
  isFault(error: unknown): boolean;
}

/** A write that failed, or may have. */
export type WriterNote = Note & { readonly type: 'write-failed'; readonly code: string };

/** How many puts a burst sends at once. */
const BURST = 15;

/** Writes now and then: single keys, several together, and many at once. What becomes of it the watches tell. */
export function startWriter(
  { random, process, book: anyBook, fault }: Ground<never> | Ground,
  pace: Pace,
  writes: WatchedWrites,
): void {
  const book: NoteTaker<WriterNote> = anyBook;
  let written = 0;
  const anyKey = () => KEYS[random.int(0, KEYS.length - 1)]!;
  const value = () => `${process}-${(written += 1)}`;
  const change = (key: string): Change => [key, random.chance(0.25) ? null : value()];
  const several = () => new Set(Array.from({ length: random.int(2, 5) }, anyKey));
  const write = async () => {
    const choice = random.next();
    if (choice < 0.03) {
      await Promise.all(Array.from({ length: BURST }, () => writes.one([anyKey(), value()])));
    } else if (choice < 0.3) await writes.together([...several()].map(change));
    else await writes.one(change(anyKey()));
  };
  // In an outage it fails, or may have: the truth says what was written.
  const failed = (error: unknown) => {
    book.note({ type: 'write-failed', code: codeOf(error) });
    if (writes.isFault(error)) fault('a write of watched keys', error);
  };
  pace.work('a writer of watched keys', [400, 1400], () => write().catch(failed));
}
