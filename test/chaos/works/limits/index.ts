import type { Evidence } from '../../check/evidence.js';
import { LIMIT, type LimitNote, SLOT_MS } from '../../check/limit-notes.js';
import {
  borrowerFaults,
  ownShareFaults,
  slotsOf,
  starvedFaults,
  sumFaults,
} from '../../check/limit-sums.js';
import { newMemberFaults } from '../../check/new-members.js';
import { least } from '../figures.js';
import { eachGrantMs, nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { RULE } from './limit-names.js';

const WORK = 'limits';
const PREFIX = `traffic/limit%2F${RULE}/share/`;
/** So long those are counted on who were lost together. */
const HOLD_MS = 10_000;

/** Every process is offered more than its part of a limit that all share, now and then. */
export const limits: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check(evidence) {
    const notes = notesOf(evidence);
    return {
      limits: [
        ...sumFaults(notes),
        ...ownShareFaults(notes),
        ...borrowerFaults(notes, evidence, PREFIX),
        ...starvedFaults(notes),
        ...newMemberFaults(notes, evidence, PREFIX),
      ],
    };
  },

  inconclusive(evidence, minutes) {
    const notes = notesOf(evidence);
    return [
      ...least('slots of a process with calls', notes.filter(hasAdmitted).length, 300, minutes),
      ...least('slots with something borrowed', notes.filter(hasBorrowed).length, 5, minutes),
    ];
  },

  /** Everybody has heard of everybody, and of nobody else. */
  awaited(evidence, healedAt) {
    const processes = slotsOf(notesOf(evidence).filter(({ t }) => t > healedAt));
    return evidence.survivors.flatMap((process) => {
      const last = [...(processes.get(process)?.values() ?? [])].at(-1);
      if (last?.members === evidence.survivors.length && last.most > 0) return [];
      return [`${process} does not share the limit with all who are there, and nobody else.`];
    });
  },

  recoveryBoundMs: (ttlMs) => eachGrantMs(ttlMs) + nextCallMs() + HOLD_MS,

  figures(evidence) {
    const notes = notesOf(evidence);
    const count = (of: (note: LimitNote) => number) =>
      notes.reduce((sum, note) => sum + of(note), 0);
    return {
      counts: {
        [`calls let through, of a limit of ${LIMIT} a second`]: count(
          ({ confirmed, unconfirmed }) => confirmed + unconfirmed,
        ),
        'of them by processes that were out of touch': count(({ unconfirmed }) => unconfirmed),
        'seconds in which a process borrowed': Math.round(
          (notes.filter(hasBorrowed).length * SLOT_MS) / 1000,
        ),
      },
    };
  },
};

function hasAdmitted({ confirmed, unconfirmed }: LimitNote): boolean {
  return confirmed + unconfirmed > 0;
}

function hasBorrowed({ borrowed }: LimitNote): boolean {
  return borrowed > 0;
}

function notesOf(evidence: Evidence): readonly LimitNote[] {
  return evidence.notesOf<LimitNote>(WORK);
}
