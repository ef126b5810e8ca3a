import { describe, expect, it } from 'vitest';
import type { RunOptions } from '../run/run-options.js';
import type { RunResult } from '../run/run-result.js';
import { MUTANTS, mutantNamed } from './index.js';
import { controlRun, directedRun, judgeMutant, mutantTable, runMutants } from './run-mutants.js';

const result = (options: RunOptions, violations: RunResult['violations']) =>
  ({ options, violations }) as RunResult;
const plan = { line: '3.5', seed: 7 };
const mutant = mutantNamed('loss-at-2-ttl');

describe('runMutants', () => {
  it('runs each as it is directed', async () => {
    const ran: RunOptions[] = [];
    const results = await runMutants(plan, async (options) => {
      ran.push(options);
      return result(options, {});
    });
    expect(ran).toEqual(MUTANTS.map((one) => directedRun(one, plan)));
    expect(ran[0]).toMatchObject({ ...plan, ...mutant.run, mutant: mutant.name, system: 'ours' });
    expect(results.map((one) => one.caughtBy)).toEqual(MUTANTS.map(() => []));
    expect(controlRun(mutant, plan)).not.toHaveProperty('mutant');
  });

  it('takes a mutant for caught by the promises that it breaks, not by others', () => {
    const options = directedRun(mutant, plan);
    const judged = judgeMutant(
      mutant,
      result(options, { 'one-owner': ['two.', 'three.'], tokens: [], loss: ['gone.'] }),
    );
    expect(judged.caughtBy).toEqual([{ promise: 'one-owner', proof: 'two.' }]);
    expect(judged.besides).toEqual(['loss']);
    const other = judgeMutant(mutant, result(options, { config: ['x'] }));
    expect(other.caughtBy).toEqual([]);
    expect(mutantTable([judged, other]).split('\n').slice(2)).toEqual([
      `| loss-at-2-ttl | ${mutant.breaks} | one-owner | loss |`,
      `| loss-at-2-ttl | ${mutant.breaks} | **not caught** | config |`,
    ]);
  });
});
