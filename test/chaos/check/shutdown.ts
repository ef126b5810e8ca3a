import type { LifeNote, Note } from '../history/note.js';
import type { Evidence } from './evidence.js';
import { at, grouped } from './in-time.js';
import { createRevisionOf, type OwnershipNote } from './ownership.js';

/**
 * Every process that was asked to end did so by itself, with code 0, after it said that it was closed if it had started; it was not
 * the owner of anything any more by then, and left no key on a lease of its own.
 *
 * @param owned the notes of all works that own things
 */
export function shutdownFaults(
  owned: readonly OwnershipNote[],
  evidence: Pick<Evidence, 'notesOf' | 'ends' | 'killed' | 'truth' | 'finalList'>,
): string[] {
  const life = grouped(evidence.notesOf<LifeNote>('life'), ({ process }) => process);
  return [
    ...[...evidence.ends].flatMap(([process, code]) =>
      endFaults(process, code, life.get(process) ?? []),
    ),
    ...ownedAfterTheEnd(owned, life),
    ...leftKeys(owned, evidence, life),
  ];
}

function endFaults(process: string, code: number | null, life: readonly LifeNote[]): string[] {
  if (code === null) {
    return [`Process ${process} was asked to end and did not: it had to be killed.`];
  }
  if (code !== 0) return [`Process ${process} was asked to end and did so with code ${code}.`];
  // Asked to end while it waited for etcd, it had nothing to close.
  const hasStarted = life.some(({ type }) => type === 'started');
  if (!hasStarted || life.some(({ type }) => type === 'closed')) return [];
  return [`Process ${process} ended before it had closed.`];
}

function ownedAfterTheEnd(
  owned: readonly OwnershipNote[],
  life: ReadonlyMap<string, readonly LifeNote[]>,
): string[] {
  const faults = new Set<string>();
  for (const note of owned) {
    if (note.type !== 'valid' && note.type !== 'granted') continue;
    const closed = life.get(note.process)?.find(({ type }) => type === 'closed');
    if (!closed || note.t <= closed.t) continue;
    faults.add(
      `Process ${note.process} had ${note.of} by token ${note.token} after it had closed at ${at(closed.t)}.`,
    );
  }
  return [...faults];
}

/**
 * A key with a lease that is there at the end is that of a process that was killed, until its lease runs out. Whose
 * it is is told by its token; one that nobody was granted is no killed process's if it came after all of them.
 */
function leftKeys(
  owned: readonly OwnershipNote[],
  { finalList, truth, ends, killed }: Pick<Evidence, 'finalList' | 'truth' | 'ends' | 'killed'>,
  life: ReadonlyMap<string, readonly Note[]>,
): string[] {
  const granted = new Map<string, string>();
  for (const note of owned) {
    if (note.type === 'granted') granted.set(String(createRevisionOf(note)), note.process);
  }
  const ownerOf = new Map<string, string>();
  const beganAt = new Map<string, number>();
  for (const { lease, createRevision, t } of truth) {
    if (lease === '0') continue;
    const owner = granted.get(String(createRevision));
    if (owner !== undefined) ownerOf.set(lease, owner);
    if (!beganAt.has(lease)) beganAt.set(lease, t);
  }
  const lastKilled = Math.max(-Infinity, ...[...killed].map((one) => lastWord(one, owned, life)));
  return finalList.flatMap(({ key, lease }) => {
    if (lease === '0') return [];
    const owner = ownerOf.get(lease);
    if (owner === undefined) {
      const isOfKilled = (beganAt.get(lease) ?? -Infinity) <= lastKilled;
      return isOfKilled ? [] : [`Key ${key} was left behind, on the lease ${lease}.`];
    }
    return ends.has(owner) ? [`Process ${owner} ended and left key ${key} behind.`] : [];
  });
}

function lastWord(
  process: string,
  owned: readonly OwnershipNote[],
  life: ReadonlyMap<string, readonly Note[]>,
): number {
  const own = owned.findLast((note) => note.process === process)?.t ?? -Infinity;
  return Math.max(own, life.get(process)?.at(-1)?.t ?? -Infinity);
}
