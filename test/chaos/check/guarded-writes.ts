import type { Evidence, TrueEvent } from './evidence.js';
import { type KeyEnds, keyEnds } from './key-ends.js';
import { createRevisionOf, type OwnershipNote } from './ownership.js';

/** A guarded write that etcd took, as the unfiltered watch told it. */
export interface AcceptedWrite {
  readonly of: string;
  readonly write: string;
  readonly token: string;
  readonly revision: bigint;
  /** How often it was applied so far. */
  readonly version: number;
}

/**
 * The guarded writes that etcd took: the keys `<prefix><of>/<write>`, whose value is the token that the write was
 * guarded by. `of` may have slashes in it, the name of a write has none.
 *
 * @param prefix with its closing `/`
 */
export function acceptedWrites(
  { truth }: Pick<Evidence, 'truth'>,
  prefix = 'written/',
): AcceptedWrite[] {
  return truth.flatMap((event) =>
    event.type === 'put' && event.key.startsWith(prefix) ? [toWrite(event, prefix)] : [],
  );
}

/** What may still be written when a grant is over. */
export interface WritesAfterwards {
  /**
   * Reasons of a loss after which `fenced` goes on until the key is gone in etcd: a term that was given up has work
   * that drains, and nobody can be next before that. Default none.
   */
  readonly givenUp?: readonly string[];
  /** How many may own one thing at a time: where it is more than one, a newer token ends no older one. Default 1. */
  readonly permits?: number;
}

/**
 * No write is accepted from a token older than one accepted before, none after the key was gone that its grant
 * stood by, none that was sent through `fenced` under a grant known to be lost, none twice; and answers tell what
 * etcd has.
 */
export function writeFaults(
  notes: readonly OwnershipNote[],
  accepted: readonly AcceptedWrite[],
  { truth }: Pick<Evidence, 'truth'>,
  { givenUp = [], permits = 1 }: WritesAfterwards = {},
): string[] {
  const sent = new Map(notes.flatMap((note) => (note.type === 'sent' ? [[idOf(note), note]] : [])));
  const drains = new Set(
    notes.flatMap((note) =>
      note.type === 'lost' && givenUp.includes(note.reason) ? [grantOf(note)] : [],
    ),
  );
  const ends = keyEnds(truth);
  return [
    ...untrueAnswers(notes, accepted),
    ...accepted.flatMap((write) => {
      const origin = sent.get(idOf(write));
      return [...originFaults(write, origin, drains), ...keyFaults(write, origin, ends)];
    }),
    ...(permits > 1 ? [] : staleWrites(accepted, sharedGrants(notes))),
  ];
}

type Sent = OwnershipNote & { readonly type: 'sent' };

function untrueAnswers(
  notes: readonly OwnershipNote[],
  accepted: readonly AcceptedWrite[],
): string[] {
  const inEtcd = new Set(accepted.map(idOf));
  return notes.flatMap((note) => {
    if (note.type !== 'answered') return [];
    const has = inEtcd.has(idOf(note));
    if (note.outcome === 'accepted' && !has)
      return [`${named(note)} was accepted, and etcd lacks it.`];
    if (note.outcome === 'refused' && has) return [`${named(note)} was refused, and etcd has it.`];
    return [];
  });
}

function originFaults(
  write: AcceptedWrite,
  origin: Sent | undefined,
  drains: ReadonlySet<string>,
): string[] {
  const faults: string[] = [];
  if (!origin || origin.token !== write.token) {
    faults.push(`${named(write)} is in etcd, and nobody sent it.`);
  }
  const isOver = !origin?.valid && !drains.has(grantOf(write));
  if (origin?.guard === 'fenced' && isOver) {
    faults.push(`${named(write)} was accepted, and its grant was lost before it was sent.`);
  }
  if (write.version > 1) faults.push(`${named(write)} was applied ${write.version} times.`);
  return faults;
}

/** A guard compares the grant's key: nothing is taken once that is gone, whether anybody else has it by then or not. */
function keyFaults(write: AcceptedWrite, origin: Sent | undefined, ends: KeyEnds): string[] {
  if (!origin || origin.guard === 'none') return [];
  const end = ends.of(write.of, createRevisionOf(write));
  if (end === undefined) {
    return [`${named(write)} was accepted, and its grant never had a key in etcd.`];
  }
  if (end === null || write.revision <= end) return [];
  return [
    `${named(write)} was accepted at revision ${write.revision}, and the key of its grant was gone from ${end} on.`,
  ];
}

/** Those that others could have beside them. */
function sharedGrants(notes: readonly OwnershipNote[]): ReadonlySet<string> {
  return new Set(
    notes.flatMap((note) => (note.type === 'granted' && note.shared ? [grantOf(note)] : [])),
  );
}

/** A reader's write may come after that of a later reader, but of no later writer. */
function staleWrites(accepted: readonly AcceptedWrite[], shared: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  const newest = new Map<string, AcceptedWrite>();
  const newestAlone = new Map<string, AcceptedWrite>();
  for (const write of [...accepted].sort((a, b) => (a.revision < b.revision ? -1 : 1))) {
    const isShared = shared.has(grantOf(write));
    const before = (isShared ? newestAlone : newest).get(write.of);
    if (before && BigInt(write.token) < BigInt(before.token)) {
      faults.push(
        `${named(write)} was accepted at revision ${write.revision}, after one of token ${before.token} at ${before.revision}.`,
      );
      continue;
    }
    const latest = newest.get(write.of);
    if (!latest || BigInt(write.token) >= BigInt(latest.token)) newest.set(write.of, write);
    if (!isShared) newestAlone.set(write.of, write);
  }
  return faults;
}

function toWrite({ key, value, revision, version }: TrueEvent, prefix: string): AcceptedWrite {
  const end = key.lastIndexOf('/');
  return {
    ...{ of: key.slice(prefix.length, end), write: key.slice(end + 1) },
    ...{ token: value, revision, version },
  };
}

function grantOf({ of, token }: { readonly of: string; readonly token: string }): string {
  return `${of} ${token}`;
}

function idOf({ of, write }: { readonly of: string; readonly write: string }): string {
  return `${of}/${write}`;
}

function named({ of, write, token }: Pick<AcceptedWrite, 'of' | 'write' | 'token'>): string {
  return `${of}: Write ${write} of token ${token}`;
}
