import type { PromiseName } from '../check/evidence.js';
import type { RunOptions } from '../run/run-options.js';
import type { RunResult } from '../run/run-result.js';
import { MUTANTS, mutantNamed } from './index.js';
import type { Mutant } from './mutant.js';

/** What came of one mutant. */
export interface MutantResult {
  readonly mutant: string;
  readonly breaks: string;
  /** The promises that were to catch it and did, with the first proof of each; empty if it got away. */
  readonly caughtBy: readonly { readonly promise: PromiseName; readonly proof: string }[];
  /** Whatever else was found broken. */
  readonly besides: readonly PromiseName[];
  readonly run: RunOptions;
}

/** Where and how mutants are run. */
export interface MutantPlan {
  /** As a {@link RunOptions}'s. */
  readonly line: string;
  readonly seed: number;
  /** Left out, all of them. */
  readonly names?: readonly string[];
}

/** The run that brings a mutant to light. */
export function directedRun(
  { name, run }: Mutant,
  { line, seed }: Pick<MutantPlan, 'line' | 'seed'>,
): RunOptions {
  return { line, system: 'ours', seed, security: 'plain', ...run, mutant: name };
}

/** The same run of the library as it is, which must keep every promise. */
export function controlRun(mutant: Mutant, plan: Pick<MutantPlan, 'line' | 'seed'>): RunOptions {
  const { mutant: _name, ...control } = directedRun(mutant, plan);
  return control;
}

/** Runs mutants one after the other. */
export async function runMutants(
  { names, ...plan }: MutantPlan,
  run: (options: RunOptions) => Promise<RunResult>,
  told: (result: MutantResult) => void = () => undefined,
): Promise<MutantResult[]> {
  const results: MutantResult[] = [];
  for (const mutant of names?.map(mutantNamed) ?? MUTANTS) {
    // They share the cores and the clock: one at a time.
    const result = judgeMutant(mutant, await run(directedRun(mutant, plan)));
    told(result);
    results.push(result);
  }
  return results;
}

/** Whether the run of a mutant found what it had to find. */
export function judgeMutant(mutant: Mutant, { violations, options }: RunResult): MutantResult {
  const broken = (Object.keys(violations) as PromiseName[]).filter(
    (promise) => violations[promise]!.length > 0,
  );
  return {
    ...{ mutant: mutant.name, breaks: mutant.breaks, run: options },
    caughtBy: mutant.caughtBy
      .filter((promise) => broken.includes(promise))
      .map((promise) => ({ promise, proof: violations[promise]![0]! })),
    besides: broken.filter((promise) => !mutant.caughtBy.includes(promise)),
  };
}

/** One line for each, for a terminal or a page of Markdown. */
export function mutantTable(results: readonly MutantResult[]): string {
  const rows = results.map(({ mutant, breaks, caughtBy, besides }) => {
    const caught = caughtBy.map(({ promise }) => promise).join(', ') || '**not caught**';
    return `| ${mutant} | ${breaks} | ${caught} | ${besides.join(', ')} |`;
  });
  return [
    '| mutant | what it breaks | caught by | broken besides |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
}
