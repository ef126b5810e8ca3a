import { mutantNamed } from '../mutants/index.js';
import { judgeMutant } from '../mutants/run-mutants.js';
import { isClean, type RunResult } from './run-result.js';

/**
 * Whether a run says that something is wrong here. Violations are what is expected of a mutant, and what plain
 * etcd3 is known for.
 */
export function hasFailed(result: RunResult): boolean {
  const { system, mutant } = result.options;
  if (system !== 'ours') return false;
  if (mutant !== undefined) {
    return judgeMutant(mutantNamed(mutant), result).caughtBy.length === 0;
  }
  return !isClean(result) || result.inconclusive.length > 0;
}
