import type { PromiseName } from '../check/evidence.js';
import type { RunOptions } from '../run/run-options.js';
import type { RunResult } from '../run/run-result.js';
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

/** The run that brings a mutant to light. */
export function directedRun(
  { name, run }: Mutant,
  { line, seed }: Pick<RunOptions, 'line' | 'seed'>,
): RunOptions {
  return { line, system: 'ours', seed, security: 'plain', ...run, mutant: name };
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
