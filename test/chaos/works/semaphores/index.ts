import { awaitedOwners } from '../../check/awaited-owners.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { least } from '../figures.js';
import { lockOf } from '../locks/lock-names.js';
import { OwnedEvidence } from '../owned/owned-evidence.js';
import { eachGrantMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { PERMITS, SLOTS } from './slots.js';

const WORK = 'semaphores';
const OWNING = { things: [lockOf(SLOTS)], permits: PERMITS };

/** Permits, of which so many are valid at a time. */
export const semaphores: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).verdicts(),

  inconclusive(evidence, minutes) {
    const owned = new OwnedEvidence(evidence, WORK, OWNING);
    return [
      ...least('permits that were granted', owned.count('granted'), 30, minutes),
      ...least('writes under permits that etcd took', owned.accepted.length, 10, minutes),
    ];
  },

  awaited: (evidence, healedAt) =>
    awaitedOwners(evidence.notesOf<OwnershipNote>(WORK), {
      ...{ healedAt, things: OWNING.things, processes: [] },
    }),

  recoveryBoundMs: eachGrantMs,

  figures: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).figures(evidence),
};
