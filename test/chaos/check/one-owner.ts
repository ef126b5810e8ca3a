import { holdings, shown, type Holding } from './holdings.js';
import { at } from './in-time.js';
import type { OwnershipNote } from './ownership.js';

/** No moment at which two grants of one thing both said that they were valid. */
export function overlaps(notes: readonly OwnershipNote[]): string[] {
  return [...holdings(notes)].flatMap(([of, spans]) => overlapsOf(of, spans));
}

function overlapsOf(of: string, spans: readonly Holding[]): string[] {
  const faults: string[] = [];
  let latest: Holding | null = null;
  for (const next of spans) {
    if (latest && next.from <= latest.to) {
      faults.push(
        `${of}: ${shown(latest)} was valid until ${at(latest.to)}, and ${shown(next)} from ${at(next.from)}.`,
      );
    }
    if (!latest || next.to > latest.to) latest = next;
  }
  return faults;
}
