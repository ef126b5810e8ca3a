import { awaitedOwners } from '../../check/awaited-owners.js';
import type { Evidence } from '../../check/evidence.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { least } from '../figures.js';
import { OwnedEvidence } from '../owned/owned-evidence.js';
import { GIVEN_UP } from '../owned/owned-span.js';
import { firstGrantMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { CHANGING, electionOf, STANDING } from './election-names.js';
import type { ObserverNote } from './notes.js';
import { observerFaults } from './observed-leaders.js';

const WORK = 'elections';
const THINGS = [STANDING, CHANGING].map(electionOf);
const OWNING = { things: THINGS, givenUp: GIVEN_UP };

/** Candidates in two elections, who write under their terms, and observers of both. */
export const elections: ChaosWork = {
  name: WORK,
  parts: {
    ours: new URL('./ours.part.ts', import.meta.url),
    etcd3: new URL('./etcd3.part.ts', import.meta.url),
  },

  check(evidence) {
    const verdicts = new OwnedEvidence(evidence, WORK, OWNING).verdicts();
    const observed = observerFaults(observations(evidence), evidence.truth);
    return { ...verdicts, 'one-owner': [...verdicts['one-owner']!, ...observed] };
  },

  inconclusive(evidence, minutes) {
    const owned = new OwnedEvidence(evidence, WORK, OWNING);
    const seldom: [what: string, seen: number, aMinute: number][] = [
      ['terms', owned.count('granted'), 15],
      ['writes under terms that etcd took', owned.accepted.length, 20],
      ['late raw writes under terms that were refused', owned.lateRefused('raw'), 0.5],
      ['late fenced writes under terms that were refused', owned.lateRefused('fenced'), 1],
      ['observations of a leader', observations(evidence).length, 60],
    ];
    return seldom.flatMap(([what, seen, aMinute]) => least(what, seen, aMinute, minutes));
  },

  awaited: (evidence, healedAt) =>
    awaitedOwners(evidence.notesOf<OwnershipNote>(WORK), {
      ...{ healedAt, processes: [], things: THINGS },
    }),

  // A candidate that comes and goes may have just gone.
  recoveryBoundMs: (ttlMs) => 2 * firstGrantMs(ttlMs),

  figures(evidence) {
    const { counts, ...rest } = new OwnedEvidence(evidence, WORK, OWNING).figures(evidence);
    return { ...rest, counts: { ...counts, observations: observations(evidence).length } };
  },
};

function observations(evidence: Evidence): ObserverNote[] {
  return evidence.notesOf<ObserverNote>(WORK).filter(({ type }) => type === 'observed');
}
