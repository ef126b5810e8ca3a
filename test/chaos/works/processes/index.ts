import type { Evidence } from '../../check/evidence.js';
import { lifeFaults } from '../../check/life-faults.js';
import type { OwnershipNote } from '../../check/ownership.js';
import { shutdownFaults } from '../../check/shutdown.js';
import type { LifeNote } from '../../history/note.js';
import { OWNING_WORKS } from '../owned/owning-works.js';
import type { ChaosWork } from '../work.js';

const IDLE = new URL('./idle.part.ts', import.meta.url);

/** That processes live without errors that nobody should see, and end as they are asked to. */
export const processes: ChaosWork = {
  name: 'processes',
  parts: { ours: IDLE, etcd3: IDLE },

  check(evidence) {
    const owned = OWNING_WORKS.flatMap((work) => evidence.notesOf<OwnershipNote>(work));
    return { shutdown: shutdownFaults(owned, evidence), errors: lifeFaults(lifeOf(evidence)) };
  },

  inconclusive: () => [],
  awaited: () => [],
  recoveryBoundMs: () => 0,

  figures(evidence) {
    const count = (type: LifeNote['type']) =>
      lifeOf(evidence).filter((note) => note.type === type).length;
    return {
      counts: {
        started: count('started'),
        killed: evidence.killed.size,
        'ended by themselves when asked to': [...evidence.ends.values()].filter(
          (code) => code === 0,
        ).length,
        'wall clocks set': count('clock-jumped'),
        'event loops blocked': count('unblocked'),
      },
    };
  },
};

function lifeOf(evidence: Evidence): readonly LifeNote[] {
  return evidence.notesOf<LifeNote>('life');
}
