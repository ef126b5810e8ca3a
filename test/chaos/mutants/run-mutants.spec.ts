import { expect, it } from 'vitest';
import type { RunOptions } from '../run/run-options.js';
import type { RunResult } from '../run/run-result.js';
import { mutantNamed } from './index.js';
import { directedRun, judgeMutant } from './run-mutants.js';

const result = (options: RunOptions, violations: RunResult['violations']) =>
  ({ options, violations }) as RunResult;
const mutant = mutantNamed('loss-at-2-ttl');
const options = directedRun(mutant, { line: '3.5', seed: 7 });

it('directs a run as the mutant needs it', () => {
  const { run, name } = mutant;
  expect(options).toMatchObject({ line: '3.5', seed: 7, ...run, mutant: name, system: 'ours' });
});

it('takes a mutant for caught by the promises that it breaks, not by others', () => {
  const judged = judgeMutant(
    mutant,
    result(options, { 'one-owner': ['two.', 'three.'], tokens: [], loss: ['gone.'] }),
  );
  expect(judged.caughtBy).toEqual([{ promise: 'one-owner', proof: 'two.' }]);
  expect(judged.besides).toEqual(['loss']);
  expect(judgeMutant(mutant, result(options, { config: ['x'] })).caughtBy).toEqual([]);
});
