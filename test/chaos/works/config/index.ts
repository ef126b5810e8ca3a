import type { ConfigNote } from '../../check/config-notes.js';
import { awaitedConfigs, configFaults } from '../../check/config-values.js';
import type { Evidence } from '../../check/evidence.js';
import { least, tally } from '../figures.js';
import { nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';

const WORK = 'config';
/**
 * The longest that nobody publishes what is valid: each of five processes does so in half of the cases, nine
 * seconds apart at most.
 */
const NEXT_GOOD_MS = 20_000;

/** A configuration that all follow and all publish: valid and invalid, through the store and past it. */
export const config: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check: (evidence) => ({ config: configFaults(notesOf(evidence), evidence) }),

  inconclusive(evidence, minutes) {
    const notes = notesOf(evidence);
    const count = (likes: (note: ConfigNote) => boolean) => notes.filter(likes).length;
    const seldom: [what: string, seen: number, aMinute: number][] = [
      [
        'publications that were accepted',
        count((n) => n.type === 'published' && n.outcome === 'accepted'),
        8,
      ],
      [
        'invalid values put past the library',
        count((n) => n.type === 'publishing' && n.via === 'raw' && !n.valid),
        2,
      ],
      ['values that were applied', count((n) => n.type === 'applied'), 20],
      ['values that were rejected', count((n) => n.type === 'rejected'), 1],
    ];
    return seldom.flatMap(([what, seen, aMinute]) => least(what, seen, aMinute, minutes));
  },

  awaited: (evidence) => awaitedConfigs(notesOf(evidence), evidence),

  recoveryBoundMs: () => 2 * nextCallMs() + NEXT_GOOD_MS,

  figures(evidence) {
    const notes = notesOf(evidence);
    const outcomes = (wanted: string) =>
      notes.filter((note) => note.type === 'published' && note.outcome === wanted).length;
    return {
      counts: {
        ...tally('applied from', notes, (note) => (note.type === 'applied' ? note.source : null)),
        ...tally('rejected', notes, (note) => (note.type === 'rejected' ? note.code : null)),
        ...tally('published', notes, (note) =>
          note.type === 'published' ? note.code || note.outcome : null,
        ),
        reads: notes.filter(({ type }) => type === 'read').length,
      },
      operations: {
        ok: outcomes('accepted'),
        failed: outcomes('refused'),
        ambiguous: outcomes('unknown'),
      },
    };
  },
};

function notesOf(evidence: Evidence): readonly ConfigNote[] {
  return evidence.notesOf<ConfigNote>(WORK);
}
