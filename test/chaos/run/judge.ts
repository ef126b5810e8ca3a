import type { Evidence, PromiseName, Verdicts } from '../check/evidence.js';
import type { NemesisNote } from '../history/note.js';
import { leastIn } from '../works/figures.js';
import type { ChaosWork } from '../works/work.js';
import type { Judgement } from './run-result.js';

/** A kind of fault that a run had, and how often it must have hit in a minute for the run to say anything. */
export interface DemandedFault {
  readonly kind: string;
  readonly leastPerMinute: number;
}

/** What a run was about, beside its notes. */
export interface Matter {
  readonly works: readonly ChaosWork[];
  readonly faults: readonly DemandedFault[];
  readonly faultMs: number;
  /** What did not come about in time after the healing. */
  readonly late: readonly string[];
  /** What the run itself did not see of etcd, and which faults failed by themselves. */
  readonly problems: readonly string[];
}

/** What all works find in the notes of a run, and in what was done to it. */
export function judge(
  { works, faults, faultMs, late, problems }: Matter,
  evidence: Evidence,
): Judgement {
  const minutes = faultMs / 60_000;
  const hits = faultsIn(evidence, faults);
  return {
    faults: hits,
    violations: merged([...works.map((work) => work.check(evidence)), { liveness: late }]),
    inconclusive: [
      ...works.flatMap((work) => work.inconclusive(evidence, minutes)),
      ...tooRare(faults, hits, minutes),
      ...problems,
    ],
    figures: Object.fromEntries(works.map((work) => [work.name, work.figures(evidence)])),
  };
}

/** Of each kind of fault that there was how many were begun, and how many hit. */
export function faultsIn(
  evidence: Pick<Evidence, 'notesOf'>,
  faults: readonly DemandedFault[] = [],
): Judgement['faults'] {
  const counts: Record<string, { begun: number; hit: number }> = {};
  for (const { kind } of faults) counts[kind] = { begun: 0, hit: 0 };
  const kinds = new Map<string, string>();
  for (const note of evidence.notesOf<NemesisNote>('nemesis')) {
    if (note.type === 'fault-begun') {
      kinds.set(note.fault, note.kind);
      (counts[note.kind] ??= { begun: 0, hit: 0 }).begun += 1;
    } else if (note.type === 'fault-over' && note.hit) {
      const kind = kinds.get(note.fault);
      if (kind !== undefined) counts[kind]!.hit += 1;
    }
  }
  return counts;
}

/** A fault that hit nobody proves nothing, and one that hardly ever hit proves little. */
function tooRare(
  faults: readonly DemandedFault[],
  hits: Judgement['faults'],
  minutes: number,
): string[] {
  return faults.flatMap(({ kind, leastPerMinute }) => {
    const least = leastIn(leastPerMinute, minutes);
    const hit = hits[kind]?.hit ?? 0;
    return hit >= least ? [] : [`"${kind}" hit ${hit} times, and must at least ${least} times.`];
  });
}

function merged(all: readonly Verdicts[]): Verdicts {
  const verdicts: Partial<Record<PromiseName, string[]>> = {};
  for (const one of all) {
    for (const [promise, found] of Object.entries(one) as [PromiseName, readonly string[]][]) {
      (verdicts[promise] ??= []).push(...found);
    }
  }
  return verdicts;
}
