import { awaitedOwners } from '../../check/awaited-owners.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { least } from '../figures.js';
import { lockOf } from '../locks/lock-names.js';
import { OwnedEvidence } from '../owned/owned-evidence.js';
import { eachGrantMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { BOOKS } from './books.js';

const WORK = 'read-write';
const OWNING = { things: BOOKS.map(lockOf) };

/** Readers, who may be many, and writers, who are alone, of the same things. */
export const readWrite: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).verdicts(),

  inconclusive(evidence, minutes) {
    const owned = new OwnedEvidence(evidence, WORK, OWNING);
    return [
      ...least('grants to read or write', owned.count('granted'), 30, minutes),
      ...least('writes of readers and writers that etcd took', owned.accepted.length, 10, minutes),
    ];
  },

  awaited: (evidence, healedAt) =>
    awaitedOwners(evidence.notesOf<OwnershipNote>(WORK), {
      ...{ healedAt, things: OWNING.things, processes: [] },
    }),

  recoveryBoundMs: eachGrantMs,

  figures: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).figures(evidence),
};
