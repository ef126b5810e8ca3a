import type { Mutant } from './mutant.js';

/** Those that show configurations that are none, or old ones. */
export const configMutants: readonly Mutant[] = [
  {
    name: 'invalid-config-accepted',
    breaks: 'A configuration is swapped in without its schema being asked.',
    caughtBy: ['config'],
    run: { seconds: 30, works: ['config'], faults: ['reset connections'] },
    replacements: [
      {
        file: 'config/config-evaluator.ts',
        find: 'const value = validateConfig(\n      this.declaration.schema,',
        replace: 'const value = validateConfig(\n      undefined,',
      },
    ],
  },
];
