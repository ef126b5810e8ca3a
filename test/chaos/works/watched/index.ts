import type { Evidence } from '../../check/evidence.js';
import { awaitedEvents, watchFaults } from '../../check/watch-events.js';
import { awaitedStates, finalStateFaults, stateFaults } from '../../check/watched-states.js';
import type { WatchNote } from '../../check/watch-notes.js';
import { least, tally } from '../figures.js';
import { nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { PREFIX } from './watched-keys.js';
import type { WriterNote } from './writers.js';

const WORK = 'watched';
/** What was written within this time after the healing must have been told when all is right again. */
const AFTER_MS = 1_000;

/** Watches of a prefix and its state, while keys are put, deleted and changed together, and in bursts. */
export const watched: ChaosWork = {
  name: WORK,
  parts: {
    ours: new URL('./ours.part.ts', import.meta.url),
    etcd3: new URL('./etcd3.part.ts', import.meta.url),
  },

  check(evidence) {
    const notes = notesOf(evidence);
    return {
      watch: watchFaults(notes, evidence),
      state: [...stateFaults(notes, evidence), ...finalStateFaults(notes, evidence)],
    };
  },

  inconclusive(evidence, minutes) {
    const { told, resynced, shown, stood } = count(evidence);
    const compacted = evidence.compactions.length;
    return [
      ...least('events that watches were told', told, 800, minutes),
      // Of one that does not stand hardly anything can be said.
      ...least('watches that stood', stood, 30, minutes),
      ...least('looks at a watched state', shown, 80, minutes),
      ...(compacted > 0 && resynced === 0 && minutes > 2
        ? ['The history was compacted, and no watch had to catch up past that.']
        : []),
    ];
  },

  awaited(evidence, healedAt) {
    const { survivors, truth } = evidence;
    const until = truth.findLastIndex(({ t }) => t <= healedAt + AFTER_MS);
    const since = truth.some(({ key, t }) => key.startsWith(PREFIX) && t > healedAt);
    const notes = notesOf(evidence);
    return [
      ...(since ? [] : ['Nothing has been written to watched keys since the healing.']),
      ...awaitedEvents(notes, { survivors, truth: truth.slice(0, until + 1) }),
      ...awaitedStates(notes, { survivors, truth: truth.slice(0, until + 1) }),
      ...unsynced(notes, survivors, healedAt),
    ];
  },

  recoveryBoundMs: () => 2 * nextCallMs() + AFTER_MS,

  figures(evidence) {
    const { told, resynced, shown, stood, watches, ended } = count(evidence);
    return {
      counts: {
        'events of watched keys': evidence.truth.filter(({ key }) => key.startsWith(PREFIX)).length,
        'events that watches were told': told,
        'of these marked resync': resynced,
        'looks at a watched state': shown,
        subscriptions: watches,
        'of these stood': stood,
        'subscriptions that ended by themselves': ended,
        ...tally('writes that failed', allOf(evidence), (note) =>
          note.type === 'write-failed' ? note.code : null,
        ),
      },
    };
  },
};

function notesOf(evidence: Evidence): readonly WatchNote[] {
  return allOf(evidence).filter((note): note is WatchNote => note.type !== 'write-failed');
}

function allOf(evidence: Evidence): readonly (WatchNote | WriterNote)[] {
  return evidence.notesOf<WatchNote | WriterNote>(WORK);
}

/** States that have not been seen to be synced since the healing. */
function unsynced(
  notes: readonly WatchNote[],
  survivors: readonly string[],
  healedAt: number,
): string[] {
  const synced = new Set(
    notes.flatMap((note) =>
      note.type === 'showed' && note.synced && note.t > healedAt ? [note.process] : [],
    ),
  );
  return survivors
    .filter((process) => !synced.has(process))
    .map((process) => `No state that ${process} watches was synced.`);
}

function count(evidence: Evidence) {
  const sums = { told: 0, resynced: 0, shown: 0, stood: 0, watches: 0, ended: 0 };
  for (const note of notesOf(evidence)) {
    if (note.type === 'told') {
      sums.told += note.events.length;
      sums.resynced += note.events.filter(([, , , , resync]) => resync).length;
    } else if (note.type === 'showed') sums.shown += 1;
    else if (note.type === 'stood') sums.stood += 1;
    else if (note.type === 'subscribed') sums.watches += 1;
    else if (note.type === 'ended' && note.code !== '') sums.ended += 1;
  }
  return sums;
}
