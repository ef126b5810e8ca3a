import { holdings, shown, type Holding } from './holdings.js';
import { grouped, inTime } from './in-time.js';
import type { OwnershipNote } from './ownership.js';
import { type EndedByEtcd, isExcused, NOTHING_ENDED } from './woken-leaders.js';

/**
 * A token is one grant's alone, and larger than those of all earlier grants of the same thing; of those that stand
 * side by side, readers and the holders of permits, nobody can say which came first.
 *
 * @param permits how many may be valid at a time, of a semaphore
 */
export function tokenFaults(
  notes: readonly OwnershipNote[],
  byEtcd = NOTHING_ENDED,
  permits = 1,
): string[] {
  return [...twins(notes), ...(permits > 1 ? [] : outOfOrder(notes, byEtcd))];
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
    let newestAlone: Holding | null = null;
    for (const next of spans) {
      const former: Holding | null = next.shared ? newestAlone : newest;
      if (former && next.token <= former.token) {
        // It was told of its turn when etcd had ended it already.
        if (isExcused(next, next.from, byEtcd)) continue;
        faults.push(`${of}: ${shown(next)} was granted after ${shown(former)}.`);
        continue;
      }
      if (!newest || next.token > newest.token) newest = next;
      if (!next.shared) newestAlone = next;
    }
  }
  return faults;
}
