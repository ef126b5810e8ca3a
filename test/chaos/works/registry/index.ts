import { awaitedInstances } from '../../check/awaited-instances.js';
import { deadInEtcdFaults, listedDeadFaults } from '../../check/dead-instances.js';
import type { Evidence } from '../../check/evidence.js';
import { staysOf } from '../../check/registrations.js';
import type { RegistryNote } from '../../check/registry-notes.js';
import { callFaults } from '../../check/service-calls.js';
import { shownListFaults } from '../../check/shown-lists.js';
import { least, tally } from '../figures.js';
import { eachGrantMs, nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { SERVICE } from './registry-names.js';

const WORK = 'registry';
const DEATHS = { service: SERVICE, settleMs: nextCallMs() };

/** Every process is an instance of one service, follows its list, and calls it. */
export const registry: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check(evidence) {
    const notes = notesOf(evidence);
    return {
      registry: [
        ...shownListFaults(notes, evidence, { service: SERVICE }),
        ...listedDeadFaults(notes, evidence, DEATHS),
        ...deadInEtcdFaults(evidence, DEATHS),
        ...callFaults(notes),
      ],
    };
  },

  inconclusive(evidence, minutes) {
    const notes = notesOf(evidence);
    const count = (type: RegistryNote['type']) => notes.filter((note) => note.type === type).length;
    const seldom: [what: string, seen: number, aMinute: number][] = [
      ['registrations', staysOf(SERVICE, evidence.truth).length, 10],
      ['lists that changed', count('listed'), 20],
      ['looks at a list', count('looked'), 120],
      ['calls that were answered', count('answered'), 100],
      ["deletions of others' records", count('deleted'), 4],
    ];
    return seldom.flatMap(([what, seen, aMinute]) => least(what, seen, aMinute, minutes));
  },

  awaited: (evidence, healedAt) =>
    awaitedInstances(notesOf(evidence), evidence, { service: SERVICE, healedAt }),

  // The lease and then the record, and then its news must come to everybody, who looks once a second.
  recoveryBoundMs: (ttlMs) => eachGrantMs(ttlMs) + nextCallMs(),

  figures(evidence) {
    const notes = notesOf(evidence);
    const count = (type: RegistryNote['type']) => notes.filter((note) => note.type === type).length;
    const stays = staysOf(SERVICE, evidence.truth);
    const ids = new Set(stays.map(({ id }) => id));
    const hasProtected = (note: RegistryNote) =>
      note.type === 'listed' && note.list.some(([, , , isProtected]) => isProtected);
    return {
      counts: {
        instances: ids.size,
        'registered again': stays.length - ids.size,
        'moved to another lease': stays.reduce((sum, { leases }) => sum + leases.length - 1, 0),
        'deleted by others': count('deleted'),
        'lists shown': count('listed'),
        'of them with protected instances': notes.filter(hasProtected).length,
        ...tally('calls that failed', notes, (note) => (note.type === 'failed' ? note.code : null)),
      },
      operations: { ok: count('answered'), failed: count('failed'), ambiguous: count('abandoned') },
    };
  },
};

function notesOf(evidence: Evidence): readonly RegistryNote[] {
  return evidence.notesOf<RegistryNote>(WORK);
}
