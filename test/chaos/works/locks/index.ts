import { awaitedOwners } from '../../check/awaited-owners.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { least } from '../figures.js';
import { OwnedEvidence } from '../owned/owned-evidence.js';
import { eachGrantMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { COOL, HOT, lockOf } from './lock-names.js';

const WORK = 'locks';
const OWNING = { things: [HOT, ...COOL].map(lockOf) };

/** Workers that contend for one hot lock and a few cooler ones, and write under them, in time and too late. */
export const locks: ChaosWork = {
  name: WORK,
  parts: {
    ours: new URL('./ours.part.ts', import.meta.url),
    etcd3: new URL('./etcd3.part.ts', import.meta.url),
  },

  check: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).verdicts(),

  inconclusive(evidence, minutes) {
    const owned = new OwnedEvidence(evidence, WORK, OWNING);
    const seldom: [what: string, seen: number, aMinute: number][] = [
      ['grants of locks', owned.count('granted'), 90],
      ['writes under locks that etcd took', owned.accepted.length, 35],
      ['late raw writes under locks that were refused', owned.lateRefused('raw'), 0.5],
      ['late fenced writes under locks that were refused', owned.lateRefused('fenced'), 1],
      ['losses of locks that their holders noticed', owned.count('lost'), 2],
    ];
    return seldom.flatMap(([what, seen, aMinute]) => least(what, seen, aMinute, minutes));
  },

  awaited(evidence, healedAt) {
    const notes = evidence.notesOf<OwnershipNote>(WORK);
    return [
      ...awaitedOwners(notes, { healedAt, things: [lockOf(HOT)], processes: evidence.survivors }),
      ...awaitedOwners(notes, { healedAt, things: COOL.map(lockOf), processes: [] }),
    ];
  },

  recoveryBoundMs: eachGrantMs,

  figures: (evidence) => new OwnedEvidence(evidence, WORK, OWNING).figures(evidence),
};
