import { holdings, shown, type Holding } from './holdings.js';
import { grouped, inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';
import { type EndedByEtcd, isExcused, NOTHING_ENDED } from './woken-leaders.js';

/** A token is one grant's alone, and larger than those of all earlier grants of the same thing. */
export function tokenFaults(notes: readonly OwnershipNote[], byEtcd = NOTHING_ENDED): string[] {
  return [...twins(notes), ...outOfOrder(notes, byEtcd)];
}

function twins(notes: readonly OwnershipNote[]): string[] {
  const faults: string[] = [];
  for (const [of, its] of grouped(notes, (note) => note.of)) {
    const owners = new Map<string, string>();
    for (const note of inTime(its)) {
      if (note.type !== 'granted') continue;
      const owner = owners.get(note.token);
      if (owner !== undefined) {
        faults.push(`${of}: Token ${note.token} was granted to ${owner} and to ${note.process}.`);
      }
      owners.set(note.token, note.process);
    }
  }
  return faults;
}

function outOfOrder(notes: readonly OwnershipNote[], byEtcd: EndedByEtcd): string[] {
  const faults: string[] = [];
  // A grant that was never seen valid may be noted long after it: it has no place in the order.
  for (const [of, spans] of holdings(notes)) {
    let newest: Holding | null = null;
    for (const next of spans) {
      if (newest && next.token <= newest.token) {
        // It was told of its turn when etcd had ended it already.
        if (isExcused(next, next.from, byEtcd)) continue;
        faults.push(`${of}: ${shown(next)} was granted after ${shown(newest)}.`);
      } else {
        newest = next;
      }
    }
  }
  return faults;
}
