import type { BatchNote } from '../../check/batch-notes.js';
import { batchedReadFaults, batchedWriteFaults } from '../../check/batch-writes.js';
import type { Evidence } from '../../check/evidence.js';
import { least, tally } from '../figures.js';
import { nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';

const WORK = 'batches';

/** Every process writes keys of its own through a batcher, several at once and some of them twice, and reads them. */
export const batches: ChaosWork = {
  name: WORK,
  // Plain etcd3 has nothing like it.
  parts: { ours: new URL('./ours.part.ts', import.meta.url) },

  check(evidence) {
    const notes = notesOf(evidence);
    return { batches: [...batchedWriteFaults(notes, evidence), ...batchedReadFaults(notes)] };
  },

  inconclusive(evidence, minutes) {
    const count = (type: BatchNote['type']) => ofType(evidence, type).length;
    return [
      ...least('batched writes that were acknowledged', count('written'), 200, minutes),
      ...least('merged reads that were answered', count('read'), 60, minutes),
    ];
  },

  awaited(evidence, healedAt) {
    const served = new Set(
      ofType(evidence, 'written').flatMap(({ process, t }) => (t > healedAt ? [process] : [])),
    );
    return evidence.survivors
      .filter((process) => !served.has(process))
      .map((process) => `Process ${process} had no batched write acknowledged.`);
  },

  // A write may wait behind one that nobody knows of, which is asked after with pauses.
  recoveryBoundMs: () => 2 * nextCallMs(),

  figures(evidence) {
    const notes = notesOf(evidence);
    const failed = notes.filter((note) => note.type === 'failed');
    const outcomes = (wanted: string) => failed.filter(({ outcome }) => outcome === wanted).length;
    return {
      counts: {
        'reads answered': ofType(evidence, 'read').length,
        ...tally('writes that failed', failed, ({ outcome, code }) => `${outcome} ${code}`),
      },
      operations: {
        ok: ofType(evidence, 'written').length,
        failed: outcomes('refused'),
        ambiguous: outcomes('unknown'),
      },
    };
  },
};

function ofType(evidence: Evidence, type: BatchNote['type']): readonly BatchNote[] {
  return notesOf(evidence).filter((note) => note.type === type);
}

function notesOf(evidence: Evidence): readonly BatchNote[] {
  return evidence.notesOf<BatchNote>(WORK);
}
