import type { Holder } from '../works/work.js';
import { inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';

/** Who owns what at the end of the notes, as far as that can be told. */
export function presentHolders(notes: readonly OwnershipNote[]): Holder[] {
  const holders = new Map<string, Holder>();
  for (const note of inTime(notes)) {
    const { of, process } = note;
    if (note.type === 'granted') holders.set(of, { process, of, token: note.token });
    if (note.type !== 'released' && note.type !== 'lost') continue;
    const holder = holders.get(of);
    if (holder?.token === note.token && holder.process === process) holders.delete(of);
  }
  return [...holders.values()];
}
