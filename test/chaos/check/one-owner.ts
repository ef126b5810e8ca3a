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
  let latest: Holding | null = null;
  for (const next of spans) {
    if (latest && next.from <= latest.to && !isExcused(former(latest, next), byEtcd)) {
      faults.push(
        `${of}: ${shown(latest)} was valid until ${at(latest.to)}, and ${shown(next)} from ${at(next.from)}.`,
      );
    }
    if (!latest || next.to > latest.to) latest = next;
  }
  return faults;
}

/** Whose turn came first, whenever it was noted. */
function former(one: Holding, other: Holding): Holding {
  return one.token < other.token ? one : other;
}
