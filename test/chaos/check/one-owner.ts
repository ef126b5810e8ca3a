import { holdings, shown, type Holding } from './holdings.js';
import { at } from './in-time.js';
import type { OwnershipNote } from './ownership.js';
import { endedByWokenLeader } from './woken-leaders.js';

/** What etcd did to owners that no client can know of in time, see `woken-leaders.ts`. */
export interface EndedByEtcd {
  readonly ended: ReadonlyMap<string, number>;
  /** However late its watch told it, an owner knows by its lease's deadline. */
  readonly ttlMs: number;
}

const NONE: EndedByEtcd = { ended: new Map(), ttlMs: 0 };

/** No moment at which two grants of one thing both said that they were valid. */
export function overlaps(notes: readonly OwnershipNote[], byEtcd = NONE): string[] {
  return [...holdings(notes)].flatMap(([of, spans]) =>
    overlapsOf(of, spans, (former) => isExcused(former, byEtcd)),
  );
}

/** How many overlaps there were for which etcd is to blame: leases that it ended early. */
export function excusedOverlaps(notes: readonly OwnershipNote[], byEtcd: EndedByEtcd): number {
  return overlaps(notes).length - overlaps(notes, byEtcd).length;
}

function isExcused({ token, to }: Holding, { ended, ttlMs }: EndedByEtcd): boolean {
  const endedAt = endedByWokenLeader(token, ended);
  return endedAt !== null && to <= endedAt + ttlMs;
}

function overlapsOf(
  of: string,
  spans: readonly Holding[],
  isExcused: (former: Holding) => boolean,
): string[] {
  const faults: string[] = [];
  let latest: Holding | null = null;
  for (const next of spans) {
    if (latest && next.from <= latest.to && !isExcused(latest)) {
      faults.push(
        `${of}: ${shown(latest)} was valid until ${at(latest.to)}, and ${shown(next)} from ${at(next.from)}.`,
      );
    }
    if (!latest || next.to > latest.to) latest = next;
  }
  return faults;
}
