import type { LifeNote } from '../history/note.js';
import type { Evidence } from './evidence.js';
import { harmsOf, hinders, meets, newLeadersAt, unheardMs, type Harm } from './hindrances.js';
import { at, grouped } from './in-time.js';
import { staysOf, type Stay } from './registrations.js';
import { isLook, type RegistryNote, RUNS_MS } from './registry-notes.js';
import { ENOUGH } from './subscriptions.js';

/** A list is as old as it says; but a member that was cut off may answer for so long before its watches notice. */
const LAG_MS = 6000;
/** Of the 0.7 s over the TTL that are promised etcd may need most; what it has told is known in no more. */
const PROMISED_MS = 700;
/** etcd looks for expired leases twice a second; a new leader gives them an election's time besides. */
const EXPIRY_MS = 500;
const ELECTION_MS = 1000;

export interface DeathRules {
  readonly service: string;
  /** From the end of a fault until whoever it has hit must be back: computed from timeouts. */
  readonly settleMs: number;
}

/**
 * Who is gone from etcd is gone from a list that says it is younger than that; and, for those to whom nothing was
 * done, within the time that is promised.
 */
export function listedDeadFaults(
  notes: readonly RegistryNote[],
  evidence: Pick<Evidence, 'truth' | 'notesOf'>,
  { service, settleMs }: DeathRules,
): string[] {
  const gone = new Map(
    staysOf(service, evidence.truth).map((stay) => [`${stay.id} ${stay.createRevision}`, stay]),
  );
  const harms = harmsOf(evidence);
  const leaders = newLeadersAt(evidence);
  const byProcess = grouped(notes.filter(isLook), ({ process }) => process);
  return [...byProcess].flatMap(([process, looks]) => {
    const hindered = [
      ...harms.filter((harm) => hinders(harm, process)),
      ...leaders.map((t) => ({ from: t - settleMs, to: t })),
      ...looks
        .filter(({ heldUpMs }) => heldUpMs > RUNS_MS)
        .map(({ t, heldUpMs }) => ({ from: t - heldUpMs, to: t })),
    ].map(({ from, to }) => ({ from, to: to + settleMs }));
    return looks
      .flatMap((look) =>
        look.list.flatMap(([id, revision, , isProtected]) => {
          const stay = isProtected ? undefined : gone.get(`${id} ${revision}`);
          if (!stay || stay.goneAt >= look.t) return [];
          const says = `The list of ${process} at ${at(look.t)} had ${id} of revision ${revision}, which was gone from etcd at ${at(stay.goneAt)}`;
          if (look.ageMs !== null && stay.goneAt + LAG_MS < look.t - look.ageMs) {
            return [`${says}, and called itself ${look.ageMs.toFixed(0)} ms old.`];
          }
          const since = { from: stay.goneAt, to: look.t };
          if (stay.goneAt + PROMISED_MS >= look.t) return [];
          if (hindered.some((span) => meets(span, since))) return [];
          return [`${says}, more than ${PROMISED_MS} ms before, and nothing kept it from etcd.`];
        }),
      )
      .slice(0, ENOUGH);
  });
}

/**
 * Who is dead is gone from etcd when its lease must have run out, which each new leader grants anew; who ended in
 * order while etcd was well has left nothing. Nobody's record is on no lease, or on another one's.
 */
export function deadInEtcdFaults(
  evidence: Pick<Evidence, 'truth' | 'notesOf' | 'ttlMs' | 'killed' | 'finalList' | 'healedAt'>,
  { service }: Pick<DeathRules, 'service'>,
): string[] {
  const stays = staysOf(service, evidence.truth);
  return [...leaseFaults(stays), ...leftBehind(stays, evidence), ...overdue(stays, evidence)];
}

function leaseFaults(stays: readonly Stay[]): string[] {
  const ownerOf = new Map<string, string>();
  return stays.flatMap(({ id, leases, createRevision }) =>
    leases.flatMap((lease) => {
      const what = `The instance ${id} of revision ${createRevision} stood on`;
      if (lease === '0') return [`${what} no lease.`];
      const owner = ownerOf.get(lease) ?? id;
      ownerOf.set(lease, owner);
      return owner === id ? [] : [`${what} the lease ${lease}, which is that of ${owner}.`];
    }),
  );
}

function leftBehind(
  stays: readonly Stay[],
  { notesOf, healedAt }: Pick<Evidence, 'notesOf' | 'healedAt'>,
): string[] {
  if (healedAt === null) return [];
  const left = new Set(stays.flatMap(({ id, goneAt }) => (goneAt === Infinity ? [id] : [])));
  return notesOf<LifeNote>('life').flatMap(({ type, process, t }) =>
    type === 'closed' && t > healedAt && left.has(process)
      ? [`The instance ${process} was still in etcd when its process had closed, at ${at(t)}.`]
      : [],
  );
}

function overdue(
  stays: readonly Stay[],
  evidence: Pick<Evidence, 'notesOf' | 'ttlMs' | 'killed'>,
): string[] {
  const life = evidence.notesOf<LifeNote>('life');
  const lastly = life.at(-1)?.t ?? 0;
  const harms = harmsOf(evidence);
  const leaders = newLeadersAt(evidence);
  const endedAt = endsOf(life, harms, evidence.killed);
  return stays.flatMap(({ id, goneAt }) => {
    const end = endedAt.get(id);
    if (end === undefined || goneAt <= end) return [];
    const told = Math.min(goneAt, lastly);
    const leaseMs = evidence.ttlMs + EXPIRY_MS + ELECTION_MS;
    const limit = latestExpiry(end, leaseMs, harms, leaders, told);
    if (told - unheardMs(told, harms) <= limit) return [];
    const what = goneAt === Infinity ? 'was still in etcd' : 'was gone from etcd only';
    return [
      `The instance ${id}, dead since ${at(end)}, ${what} at ${at(told)}; its lease must have run out by ${at(limit)}.`,
    ];
  });
}

/** The latest that each process that ended can have sent anything. */
function endsOf(
  life: readonly LifeNote[],
  harms: readonly Harm[],
  killed: ReadonlySet<string>,
): Map<string, number> {
  const closed = life.flatMap(({ type, process, t }): [string, number][] =>
    type === 'closed' ? [[process, t]] : [],
  );
  const kills = harms
    .filter(({ kind }) => kind.startsWith('kill '))
    .flatMap(({ targets, to }) =>
      targets.flatMap((id): [string, number][] => (killed.has(id) ? [[id, to]] : [])),
    );
  return new Map([...closed, ...kills]);
}

/** The latest moment at which a lease that nobody keeps alive runs out. */
function latestExpiry(
  end: number,
  leaseMs: number,
  harms: readonly Harm[],
  leaders: readonly number[],
  until: number,
): number {
  // What was sent before the end, and held back by a fault, may arrive with the end of that.
  const heldBack = harms.filter(({ from, to }) => from <= end && to >= end && to <= until);
  let limit = Math.max(end, ...heldBack.map(({ to }) => to)) + leaseMs;
  for (const t of leaders) {
    if (t > until) break;
    if (t >= end && t - unheardMs(t, harms) <= limit) limit = Math.max(limit, t + leaseMs);
  }
  return limit;
}
