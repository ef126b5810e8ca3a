import { holdings, shown, type Holding } from './holdings.js';
import { at } from './in-time.js';
import type { OwnershipNote } from './ownership.js';
import { type EndedByEtcd, isExcused, NOTHING_ENDED } from './woken-leaders.js';

/** No moment at which two grants of one thing both said that they were valid. */
export function overlaps(notes: readonly OwnershipNote[], byEtcd = NOTHING_ENDED): string[] {
  return [...holdings(notes)].flatMap(([of, spans]) => overlapsOf(of, spans, byEtcd));
}

/** How many overlaps there were for which etcd is to blame: leases that it ended early. */
export function excusedOverlaps(notes: readonly OwnershipNote[], byEtcd: EndedByEtcd): number {
  return overlaps(notes).length - overlaps(notes, byEtcd).length;
}

function overlapsOf(of: string, spans: readonly Holding[], byEtcd: EndedByEtcd): string[] {
  const faults: string[] = [];
  // Those that have not ended when the next one begins; all but one are to blame.
  let open: Holding[] = [];
  for (const next of spans) {
    open = open.filter(({ to }) => next.from <= to);
    for (const one of open) {
      if (isExcused(former(one, next), next.from, byEtcd)) continue;
      faults.push(
        `${of}: ${shown(one)} was valid until ${at(one.to)}, and ${shown(next)} from ${at(next.from)}.`,
      );
    }
    open.push(next);
  }
  return faults;
}

/** Whose turn came first, whenever it was noted. */
function former(one: Holding, other: Holding): Holding {
  return one.token < other.token ? one : other;
}
