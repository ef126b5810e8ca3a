import { grantId } from './holdings.js';
import { inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';

/** What is over stays over, its signal and its clock agree, and `using` does not keep it quiet. */
export function lossFaults(notes: readonly OwnershipNote[]): string[] {
  const faults: string[] = [];
  const lost = new Set<string>();
  for (const note of inTime(notes)) {
    if (note.type === 'without') continue;
    const named = `${note.of}: Token ${note.token} of ${note.process}`;
    const id = `${note.of} ${grantId(note)}`;
    if (note.type === 'lost') lost.add(id);
    if (note.type === 'valid' && lost.has(id)) {
      faults.push(`${named} was valid again at ${note.t.toFixed(3)}, after its loss.`);
    }
    if (note.type === 'woke' && (note.aborted ? note.validAfter : !note.valid)) {
      faults.push(
        `${named} woke up with isValid() ${note.valid}, then signal.aborted ${note.aborted}, then isValid() ${note.validAfter}.`,
      );
    }
    if (note.type === 'used' && note.outcome === 'resolved' && !note.validAtEnd) {
      faults.push(`${named}: using() resolved, and it was lost when its work ended.`);
    }
  }
  return faults;
}
