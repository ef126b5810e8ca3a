import type { Evidence } from './evidence.js';
import { harmsOf, unheardMs } from './hindrances.js';
import { type LimitNote, SLOT_MS } from './limit-notes.js';

/** The others have so long to hear of a newcomer before it lets anything through; less what its clock and its slots say. */
const GRACE_MS = 500 - SLOT_MS - 50;

/**
 * A newcomer lets nothing through before the others have had the time to hear of it: counted from when the raw watch
 * told of its record, where nothing kept that from telling at once.
 */
export function newMemberFaults(
  notes: readonly LimitNote[],
  evidence: Pick<Evidence, 'notesOf' | 'truth'>,
  prefix: string,
): string[] {
  const harms = harmsOf(evidence);
  const firsts = new Map<string, LimitNote>();
  for (const note of notes) {
    if (note.confirmed + note.unconfirmed > 0 && !firsts.has(note.process)) {
      firsts.set(note.process, note);
    }
  }
  const seen = new Set<string>();
  return evidence.truth.flatMap(({ type, key, t }) => {
    if (type !== 'put' || !key.startsWith(prefix)) return [];
    const process = key.slice(prefix.length).split('/', 1)[0]!;
    const first = firsts.get(process);
    if (seen.has(process) || !first) return [];
    seen.add(process);
    const toldLate = unheardMs(t, harms) > 1000;
    const from = first.slot * SLOT_MS;
    if (toldLate || from + SLOT_MS >= t + GRACE_MS) return [];
    return [
      `${process} let calls through in the ${SLOT_MS} ms from ${from}, and its record was told only at ${t.toFixed(3)}: the others had no time to hear of it.`,
    ];
  });
}
