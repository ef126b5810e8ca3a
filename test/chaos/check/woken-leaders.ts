import type { NemesisNote } from '../history/note.js';
import type { Evidence } from './evidence.js';

/** From the waking of a leader of etcd to the end of what it may still do in the belief that it leads. */
const BELIEF_MS = 2_000;
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
    const over = notes.find((other) => other.type === 'fault-over' && other.fault === note.fault);
    return over ? [over.t] : [];
  });
  const created = new Map<string, bigint>();
  const ended = new Map<string, number>();
  for (const { type, key, createRevision, t } of evidence.truth) {
    if (type === 'put') {
      created.set(key, createRevision);
      continue;
    }
    const near = wakings.some((waking) => Math.abs(t - waking) <= BELIEF_MS);
    if (near && created.has(key)) ended.set(created.get(key)!.toString(), t);
  }
  return ended;
}

/** When the key that a token came from was deleted by a leader that had woken up; null if it was not. */
export function endedByWokenLeader(
  token: bigint,
  ended: ReadonlyMap<string, number>,
): number | null {
  return ended.get(token.toString()) ?? ended.get((token >> TURN_BITS).toString()) ?? null;
}
