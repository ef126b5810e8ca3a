import { counterFaults } from '../../check/counter-sums.js';
import type { Evidence } from '../../check/evidence.js';
import {
  judgeRegisters,
  type RegisterVerdicts,
} from '../../check/linearizable/register-verdicts.js';
import type { RegisterNote } from '../../check/register-notes.js';
import { least, tally } from '../figures.js';
import { nextCallMs } from '../recovery.js';
import type { ChaosWork } from '../work.js';
import { finalReads } from './final-reads.js';
import { COUNTERS } from './register-names.js';

const WORK = 'registers';

/** Judging takes a while, and is asked for twice. */
const judged = new WeakMap<Evidence, { of: string; verdicts: RegisterVerdicts }>();

/** Registers that are read, written and compared, and counters that are added to by transactions. */
export const registers: ChaosWork = {
  name: WORK,
  parts: {
    ours: new URL('./ours.part.ts', import.meta.url),
    etcd3: new URL('./etcd3.part.ts', import.meta.url),
  },

  check(evidence) {
    const { faults } = verdictsOf(evidence);
    const ofCounter = (fault: string) => COUNTERS.some((name) => fault.startsWith(`${name}:`));
    return {
      linearizable: faults.filter((fault) => !ofCounter(fault)),
      counters: [...faults.filter(ofCounter), ...sumFaults(evidence)],
    };
  },

  inconclusive(evidence, minutes) {
    const ok = returned(evidence).filter(({ outcome }) => outcome === 'ok').length;
    return [
      ...least('operations on registers and counters that were answered', ok, 250, minutes),
      ...verdictsOf(evidence).undecided,
    ];
  },

  awaited(evidence, healedAt) {
    const served = new Set(
      returned(evidence).flatMap(({ outcome, process, t }) =>
        outcome === 'ok' && t > healedAt ? [process] : [],
      ),
    );
    return evidence.survivors
      .filter((process) => !served.has(process))
      .map((process) => `Process ${process} had no operation on a register answered.`);
  },

  recoveryBoundMs: nextCallMs,

  figures(evidence) {
    const all = returned(evidence);
    const outcomes = (wanted: string) => all.filter(({ outcome }) => outcome === wanted).length;
    return {
      counts: {
        ...tally('called', evidence.notesOf<RegisterNote>(WORK), (note) =>
          note.type === 'invoked' ? note.call : null,
        ),
        ...tally('not answered', all, ({ outcome, code }) =>
          outcome === 'ok' ? null : `${outcome} ${code ?? ''}`.trim(),
        ),
      },
      operations: {
        ok: outcomes('ok'),
        failed: outcomes('failed'),
        ambiguous: outcomes('unknown'),
      },
    };
  },
};

function sumFaults(evidence: Evidence): string[] {
  return counterFaults(evidence.notesOf<RegisterNote>(WORK), evidence);
}

function returned(evidence: Evidence): (RegisterNote & { readonly type: 'returned' })[] {
  return evidence.notesOf<RegisterNote>(WORK).filter((note) => note.type === 'returned');
}

function verdictsOf(evidence: Evidence): RegisterVerdicts {
  const notes = evidence.notesOf<RegisterNote>(WORK);
  const known = judged.get(evidence);
  const of = `${notes.length} ${evidence.finalList.length}`;
  if (known?.of === of) return known.verdicts;
  const verdicts = judgeRegisters([...notes, ...finalReads(notes, evidence)]);
  judged.set(evidence, { of, verdicts });
  return verdicts;
}
