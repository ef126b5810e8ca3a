import { fileURLToPath } from 'node:url';
import { configDefaults, defineConfig } from 'vitest/config';
import { LongFirstSequencer } from './scripts/test/long-first.sequencer.js';

const source = (path: string) =>
  fileURLToPath(new URL(`./libs/etcd-coordination/src/${path}`, import.meta.url));

/** Suites with servers, clusters and processes. */
const END_TO_END = ['test/e2e/**/*.spec.ts'];

/** Suites that run one by one, after all the others. */
const ALONE = ['{libs,apps,test}/**/*.alone.spec.ts'];

export default defineConfig({
  // Nest needs legacy decorators with their design-time types.
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
  resolve: {
    alias: [
      { find: /^nestjs-etcd-coordination$/, replacement: source('index.ts') },
      { find: /^nestjs-etcd-coordination\/(\w+)$/, replacement: source('$1/index.ts') },
    ],
  },
  test: {
    globalSetup: ['./test/global-setup.ts'],
    setupFiles: ['./test/setup.ts'],
    pool: 'forks',
    sequence: { sequencer: LongFirstSequencer },
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'suites',
          include: ['libs/**/*.spec.ts', 'apps/**/*.spec.ts', 'test/**/*.spec.ts'],
          exclude: [...configDefaults.exclude, ...END_TO_END, ...ALONE],
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        // After the compilers of the package's suite are done with the cores.
        extends: true,
        test: {
          name: 'e2e',
          include: END_TO_END,
          exclude: [...configDefaults.exclude, ...ALONE],
          // Each worker runs etcd servers and processes of its own besides.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // Their promises are about time: nothing else may compete for the cores.
        extends: true,
        test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 2 } },
      },
    ],
  },
});
