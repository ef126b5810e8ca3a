import { batchMutants } from './batch-mutants.js';
import { clockMutants } from './clock-mutants.js';
import { configMutants } from './config-mutants.js';
import { limitMutants } from './limit-mutants.js';
import type { Mutant } from './mutant.js';
import { ownershipMutants } from './ownership-mutants.js';
import { registerMutants } from './register-mutants.js';
import { registryMutants } from './registry-mutants.js';
import { watchMutants } from './watch-mutants.js';

/** Every mutant; the chaos must catch each. */
export const MUTANTS: readonly Mutant[] = [
  ...clockMutants,
  ...ownershipMutants,
  ...watchMutants,
  ...registerMutants,
  ...configMutants,
  ...registryMutants,
  ...limitMutants,
  ...batchMutants,
];

/** @throws if there is none of that name */
export function mutantNamed(name: string): Mutant {
  const found = MUTANTS.find((mutant) => mutant.name === name);
  if (found) return found;
  const names = MUTANTS.map((mutant) => mutant.name).join(', ');
  throw new Error(`There is no mutant ${JSON.stringify(name)}; there are ${names}.`);
}
