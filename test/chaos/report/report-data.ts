import type { PromiseName } from '../check/evidence.js';
import { grouped } from '../check/in-time.js';
import type { SystemName } from '../systems/system.js';
import { mutantNamed } from '../mutants/index.js';
import { judgeMutant, type MutantResult } from '../mutants/run-mutants.js';
import { neverHit } from '../run/never-hit.js';
import type { RunResult } from '../run/run-result.js';

/** What is shown of some runs. */
export interface Report {
  readonly startedAt: string;
  readonly versions: readonly string[];
  /** One for each line and system; this library's before plain etcd3's. */
  readonly columns: readonly Column[];
  readonly mutants: readonly MutantRow[];
}

/** All runs of one system on one line of etcd. */
export interface Column {
  readonly line: string;
  readonly system: SystemName;
  /** Such as `etcd 3.5.30`. */
  readonly etcd: string;
  readonly minutes: number;
  readonly seeds: readonly number[];
  readonly securities: readonly string[];
  /** By kind. */
  readonly faults: ReadonlyMap<string, Hits>;
  readonly operations: Operations;
  readonly acquisitions: number;
  readonly eventsChecked: number;
  readonly staleWritesRefused: number;
  /** Each promise that was checked, with all that was found against it. */
  readonly violations: ReadonlyMap<PromiseName, readonly string[]>;
  readonly inconclusive: readonly string[];
  /** What could not be done, each with its reason. */
  readonly lacks: readonly string[];
  /** Milliseconds by the fault's kind. */
  readonly takeOvers: ReadonlyMap<string, readonly number[]>;
  /** By work, then by name. */
  readonly counts: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly ttlMs: number;
}

export interface Hits {
  readonly begun: number;
  readonly hit: number;
}

export interface Operations {
  readonly ok: number;
  readonly failed: number;
  readonly ambiguous: number;
}

/** A deliberate fault in the library, and whether it was noticed. */
export interface MutantRow {
  readonly name: string;
  readonly line: string;
  readonly seeds: readonly number[];
  readonly seconds: number;
  /** What it breaks, as a sentence. */
  readonly breaks: string;
  /** The promises that were to catch it and did, with a proof each; none if it got away. */
  readonly caughtBy: MutantResult['caughtBy'];
  /** Whatever else was found broken. */
  readonly besides: readonly PromiseName[];
}

const DEFAULT_TTL_S = 2;

export function reportOf(results: readonly RunResult[]): Report {
  const asIs = results.filter(({ options }) => options.mutant === undefined);
  const mutated = results.filter(({ options }) => options.mutant !== undefined);
  const columns = [...grouped(asIs, ({ options }) => `${options.system} ${options.line}`).values()];
  return {
    startedAt: results.map((result) => result.startedAt).sort()[0] ?? '',
    versions: versionsOf(results),
    columns: columns.map(columnOf).sort(byLineThenSystem),
    mutants: [...grouped(mutated, ({ options }) => `${options.mutant}`).values()].map(mutantOf),
  };
}

function columnOf(runs: readonly RunResult[]): Column {
  const [{ options, etcdVersion }] = runs as [RunResult];
  return {
    ...{ line: options.line, system: options.system, etcd: `etcd ${etcdVersion}` },
    minutes: sum(runs, ({ faultMs }) => faultMs) / 60_000,
    seeds: runs.map((run) => run.options.seed),
    securities: [...new Set(runs.map((run) => run.options.security ?? 'plain'))],
    faults: faultsOf(runs),
    operations: {
      ok: operations(runs, 'ok'),
      failed: operations(runs, 'failed'),
      ambiguous: operations(runs, 'ambiguous'),
    },
    acquisitions: counted(runs, (name) => name.startsWith('granted: ')),
    eventsChecked: counted(runs, (name) => name === 'events that watches were told'),
    staleWritesRefused: counted(runs, (name) => name === 'late writes refused'),
    violations: violationsOf(runs),
    inconclusive: [
      ...runs.flatMap((run) => run.inconclusive.map((what) => `Seed ${run.options.seed}: ${what}`)),
      ...neverHit(runs),
    ],
    lacks: [...new Set(runs.flatMap(({ lacks }) => lacks))],
    takeOvers: joined(
      runs.flatMap(({ figures }) =>
        Object.values(figures).flatMap(({ samples = {} }) => Object.entries(samples)),
      ),
    ),
    counts: countsOf(runs),
    ttlMs: (options.ttlSeconds ?? DEFAULT_TTL_S) * 1000,
  };
}

/** Caught, if any of its runs caught it. */
function mutantOf(runs: readonly RunResult[]): MutantRow {
  const [{ options }] = runs as [RunResult];
  const judged = runs.map((run) => judgeMutant(mutantNamed(options.mutant!), run));
  const best = judged.find(({ caughtBy }) => caughtBy.length > 0) ?? judged[0]!;
  return {
    ...{ name: best.mutant, breaks: best.breaks, caughtBy: best.caughtBy, besides: best.besides },
    ...{ line: options.line, seeds: runs.map((run) => run.options.seed) },
    seconds: sum(runs, ({ faultMs }) => faultMs) / 1000,
  };
}

function versionsOf(results: readonly RunResult[]): string[] {
  const all = results.flatMap(({ libraryVersion, nodeVersion, etcdVersion }) => [
    `nestjs-etcd-coordination ${libraryVersion}`,
    `Node ${nodeVersion}`,
    `etcd ${etcdVersion}`,
  ]);
  return [...new Set(all)].sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
}

const order = (version: string) =>
  ['nestjs', 'Node', 'etcd'].findIndex((name) => version.startsWith(name));

function faultsOf(runs: readonly RunResult[]): Map<string, Hits> {
  const faults = new Map<string, Hits>();
  for (const [kind, { begun, hit }] of runs.flatMap((run) => Object.entries(run.faults))) {
    const known = faults.get(kind) ?? { begun: 0, hit: 0 };
    faults.set(kind, { begun: known.begun + begun, hit: known.hit + hit });
  }
  return new Map([...faults].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function violationsOf(runs: readonly RunResult[]): Map<PromiseName, readonly string[]> {
  return joined(
    runs.flatMap(({ violations, options: { seed } }) =>
      (Object.entries(violations) as [PromiseName, readonly string[]][]).map(
        ([promise, found]): [PromiseName, string[]] => [
          promise,
          found.map((what) => `Seed ${seed}: ${what}`),
        ],
      ),
    ),
  );
}

function countsOf(runs: readonly RunResult[]): Map<string, Map<string, number>> {
  const works = new Map<string, Map<string, number>>();
  for (const [work, { counts }] of runs.flatMap((run) => Object.entries(run.figures))) {
    const known = works.get(work) ?? new Map<string, number>();
    works.set(work, known);
    for (const [name, count] of Object.entries(counts)) {
      known.set(name, (known.get(name) ?? 0) + count);
    }
  }
  return works;
}

function operations(runs: readonly RunResult[], outcome: keyof Operations): number {
  return sum(
    runs.flatMap(({ figures }) => Object.values(figures)),
    (figures) => figures.operations?.[outcome] ?? 0,
  );
}

function counted(runs: readonly RunResult[], likes: (name: string) => boolean): number {
  const counts = runs.flatMap(({ figures }) => Object.values(figures).map(({ counts }) => counts));
  return sum(counts.flatMap(Object.entries<number>), ([name, count]) => (likes(name) ? count : 0));
}

function joined<K, T>(all: readonly (readonly [K, readonly T[]])[]): Map<K, readonly T[]> {
  const lists = new Map<K, readonly T[]>();
  for (const [key, list] of all) lists.set(key, [...(lists.get(key) ?? []), ...list]);
  return lists;
}

const SYSTEM_ORDER: readonly SystemName[] = ['ours', 'etcd3'];

function byLineThenSystem(a: Column, b: Column): number {
  if (a.line === b.line) return SYSTEM_ORDER.indexOf(a.system) - SYSTEM_ORDER.indexOf(b.system);
  return a.etcd.localeCompare(b.etcd, 'en', { numeric: true });
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0);
}
