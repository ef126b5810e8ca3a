import type { NemesisNote } from '../history/note.js';
import type { Evidence } from './evidence.js';
import type { Holding } from './holdings.js';

/** How long, from its thaw on, what it did in the belief that it leads may take to be told. */
const BELIEF_MS = 1_000;
/** The turns of a grant behind one key are in these bits of its token, where it has any. */
const TURN_BITS = 20n;

/**
 * The keys that a leader of etcd deleted when it woke up from a freeze: until it knows that it has been
 * relieved it revokes the leases that ended by its own clock, also those that were renewed at its
 * successor meanwhile (etcd-io/etcd#12528 and #15247; measured with a raw client on 3.4.23 and 3.5.30:
 * gone 48 ms after a renewal was sent that etcd had answered with the full TTL). No client can know of it
 * before its watch tells; guarded writes are refused all the same. By create revision, with the moment.
 */
export function keysOfWokenLeaders(evidence: Evidence): ReadonlyMap<string, number> {
  const wakings = evidence.notesOf<NemesisNote>('nemesis').flatMap((note, _, notes) => {
    if (note.type !== 'fault-begun' || note.kind !== 'freeze leader') return [];
    const thawed = notes.find((other) => other.type === 'thawed' && other.fault === note.fault);
    // By its own clock no lease ended in less: all were renewed every third of the TTL.
    return thawed && thawed.t - note.t >= evidence.ttlMs / 2 ? [thawed.t] : [];
  });
  const leased = new Map<string, bigint>();
  const ended = new Map<string, number>();
  for (const { type, key, createRevision, lease, t } of evidence.truth) {
    if (type === 'put') {
      if (lease === '0') leased.delete(key);
      else leased.set(key, createRevision);
      continue;
    }
    const near = wakings.some((thawedAt) => t >= thawedAt && t <= thawedAt + BELIEF_MS);
    if (near && leased.has(key)) ended.set(leased.get(key)!.toString(), t);
  }
  return ended;
}

/** What etcd did to owners that no client can know of in time. */
export interface EndedByEtcd {
  /** See {@link keysOfWokenLeaders}. */
  readonly ended: ReadonlyMap<string, number>;
  /** However late its watch told it, an owner knows by its lease's deadline. */
  readonly ttlMs: number;
}

export const NOTHING_ENDED: EndedByEtcd = { ended: new Map(), ttlMs: 0 };

/**
 * Whether an owner cannot be blamed for what it believed from a moment on: etcd had deleted its key by then,
 * and nobody could know.
 */
export function isExcused(
  { token, to }: Holding,
  from: number,
  { ended, ttlMs }: EndedByEtcd,
): boolean {
  const endedAt = ended.get(token.toString()) ?? ended.get((token >> TURN_BITS).toString());
  return endedAt !== undefined && from >= endedAt && to <= endedAt + ttlMs;
}
