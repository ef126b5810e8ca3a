import { holdings, shown, type Holding } from './holdings.js';
import { at } from './in-time.js';
import type { OwnershipNote } from './ownership.js';
import { type EndedByEtcd, isExcused, NOTHING_ENDED } from './woken-leaders.js';

/**
 * No moment at which more grants of one thing said that they were valid than there may be: one, or as many readers
 * as there are.
 *
 * @param permits how many may be valid at a time, of a semaphore
 */
export function overlaps(
  notes: readonly OwnershipNote[],
  byEtcd = NOTHING_ENDED,
  permits = 1,
): string[] {
  return [...holdings(notes)].flatMap(([of, spans]) => overlapsOf(of, spans, byEtcd, permits));
}

/** How many overlaps there were for which etcd is to blame: leases that it ended early. */
export function excusedOverlaps(
  notes: readonly OwnershipNote[],
  byEtcd: EndedByEtcd,
  permits = 1,
): number {
  return overlaps(notes, NOTHING_ENDED, permits).length - overlaps(notes, byEtcd, permits).length;
}

function overlapsOf(
  of: string,
  spans: readonly Holding[],
  byEtcd: EndedByEtcd,
  permits: number,
): string[] {
  const faults: string[] = [];
  // Those that have not ended when the next one begins; all but one are to blame.
  let open: Holding[] = [];
  for (const next of spans) {
    open = open.filter(({ to }) => next.from <= to);
    const beside = open.filter(
      (one) => !(one.shared && next.shared) && !isExcused(former(one, next), next.from, byEtcd),
    );
    for (const one of beside.length < permits ? [] : beside) {
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
