import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Compaction, Evidence, TrueEvent } from '../check/evidence.js';
import { NoteStore } from '../fleet/note-store.js';
import type { ChaosWork } from '../works/work.js';
import { ChaosUsageError } from './chaos-usage.error.js';
import { judge, type Matter } from './judge.js';
import { RunEvidence } from './run-evidence.js';
import type { RunResult } from './run-result.js';

const ABOUT = 'run.json';
/** Beside the notebooks, and no notebook. */
const ETCD = 'etcd';

/** What a run was, beside its notes: all of `run.json`. */
interface Kept extends Omit<Matter, 'works' | 'faultMs'> {
  readonly result: RunResult;
  readonly ends: readonly (readonly [string, number | null])[];
  readonly killed: readonly string[];
  readonly survivors: readonly string[];
  readonly compactions: readonly KeptCompaction[];
  readonly ttlMs: number;
  readonly healedAt: number | null;
}

/** Only its revision, in notes that were kept when moments were not. */
type KeptCompaction = string | { readonly revision: string; readonly askedAt: number };

/** Writes beside the notebooks all that {@link judgeAgain} needs. */
export function keepRun(
  folder: string,
  result: RunResult,
  { faults, late, problems }: Matter,
  evidence: Evidence,
): void {
  const { ends, killed, survivors, compactions, ttlMs, healedAt } = evidence;
  const kept: Kept = {
    ...{ result, late, problems },
    faults: faults.map(({ kind, leastPerMinute }) => ({ kind, leastPerMinute })),
    ...{ ends: [...ends], killed: [...killed], survivors, ttlMs, healedAt },
    compactions: compactions.map(({ revision, askedAt }) => ({ revision: `${revision}`, askedAt })),
  };
  mkdirSync(join(folder, ETCD), { recursive: true });
  writeFileSync(join(folder, ABOUT), JSON.stringify(kept, null, 2));
  writeFileSync(join(folder, ETCD, 'truth.jsonl'), linesOf(evidence.truth));
  writeFileSync(join(folder, ETCD, 'final-list.jsonl'), linesOf(evidence.finalList));
}

/** The runs that are kept in a folder, which is that of one, or of some. */
export function keptRunsIn(folder: string): string[] {
  if (existsSync(join(folder, ABOUT)) || !existsSync(folder)) return [folder];
  const inside = readdirSync(folder).map((name) => join(folder, name));
  const runs = inside.filter((one) => existsSync(join(one, ABOUT)));
  return runs.length > 0 ? runs.sort() : [folder];
}

/** Has the notes of a run that was kept judged again, by the rules as they are now. */
export function judgeAgain(folder: string, all: readonly ChaosWork[]): RunResult {
  const { result, late, problems, faults, ...kept } = read(folder);
  const store = new NoteStore(folder);
  for (const file of readdirSync(folder)) {
    if (file.endsWith('.jsonl')) store.open(file.slice(0, -'.jsonl'.length));
  }
  store.look();
  store.close();

  // What joined since then was not done in it.
  const works = all.filter(({ name }) => name in result.figures);
  const evidence = new RunEvidence({
    fleet: {
      ...{ slots: [], ends: new Map(kept.ends), killed: new Set(kept.killed) },
      ...{ look: () => store.all, notesOf: (work) => store.of(work) },
      ...{ listen: () => undefined, finish: () => Promise.resolve() },
    },
    truth: {
      ...{ events: eventsIn(folder, 'truth.jsonl'), missed: [] },
      finalList: () => Promise.resolve([]),
    },
    compactions: kept.compactions.map(compactionOf),
    ttlMs: kept.ttlMs,
  });
  evidence.healedAt = kept.healedAt;
  evidence.survivors = kept.survivors;
  evidence.finalList = eventsIn(folder, 'final-list.jsonl');
  const matter: Matter = { works, faults, late, problems, faultMs: result.faultMs };
  return { ...result, lacks: result.lacks ?? [], ...judge(matter, evidence), folder };
}

function compactionOf(kept: KeptCompaction): Compaction {
  const { revision, askedAt } = typeof kept === 'string' ? { revision: kept, askedAt: 0 } : kept;
  return { revision: BigInt(revision), askedAt };
}

function read(folder: string): Kept {
  try {
    return JSON.parse(readFileSync(join(folder, ABOUT), 'utf8')) as Kept;
  } catch (cause) {
    throw new ChaosUsageError(
      `There is no run in ${folder}: it must have a ${ABOUT}, as a run with --out, or one with violations, leaves it.`,
      { cause },
    );
  }
}

function linesOf(events: readonly TrueEvent[]): string {
  return events
    .map(({ revision, createRevision, ...event }) =>
      JSON.stringify({
        ...event,
        ...{ revision: `${revision}`, createRevision: `${createRevision}` },
      }),
    )
    .map((line) => `${line}\n`)
    .join('');
}

function eventsIn(folder: string, file: string): TrueEvent[] {
  return readFileSync(join(folder, ETCD, file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const event = JSON.parse(line) as Record<'revision' | 'createRevision', string> &
        Omit<TrueEvent, 'revision' | 'createRevision'>;
      return {
        ...event,
        ...{ revision: BigInt(event.revision), createRevision: BigInt(event.createRevision) },
      };
    });
}
