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
    if (note.type === 'woke' && disagrees(note))
      faults.push(`${named} woke up with ${said(note)}.`);
    if (note.type === 'woke' && knewItsEnd(note)) lost.add(id);
    if (note.type === 'used' && note.outcome === 'resolved' && !note.validAtEnd) {
      faults.push(`${named}: using() resolved, and it was lost when its work ended.`);
    }
  }
  return faults;
}

/** As it woke up, it was told that it is over, by whichever of the two. */
function knewItsEnd({ valid, aborted, validAfter }: Woke): boolean {
  return aborted || !valid || !validAfter;
}

type Woke = OwnershipNote & { readonly type: 'woke' };

/** What was over stays over from the one statement to the next, whichever of the two was asked first. */
function disagrees({ valid, aborted, validAfter, signalFirst }: Woke): boolean {
  if (validAfter && (aborted || !valid)) return true;
  if (signalFirst) return aborted === valid;
  return !valid && !aborted;
}

function said({ valid, aborted, validAfter, signalFirst }: Woke): string {
  const [clock, signal] = [`isValid() ${valid}`, `signal.aborted ${aborted}`];
  const order = signalFirst ? [signal, clock] : [clock, signal];
  return [...order, `isValid() ${validAfter}`].join(', then ');
}
