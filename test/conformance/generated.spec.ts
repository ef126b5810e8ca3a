import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Checkpoints, play } from './support/play-steps.js';
import { steps } from './support/generated-steps.js';
import { LINES, Rig } from './support/rig.js';

/** A run can be had again with the seed that it printed: CONFORMANCE_SEED=… */
const SEED = Number(process.env['CONFORMANCE_SEED'] ?? Date.now() % 2 ** 31);
const RUNS = Number(process.env['CONFORMANCE_RUNS'] ?? 200);

describe.skipIf(LINES.length === 0)('lives that nobody thought of, as etcd lives them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test(`${RUNS} generated lists of steps`, { timeout: 120_000 }, async () => {
    console.log(`Generated conformance runs: CONFORMANCE_SEED=${SEED} CONFORMANCE_RUNS=${RUNS}`);
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const checkpoints: Checkpoints = [];
        await rig.compareAfterModel((server, base) => play(server, base, list, checkpoints));
      }),
      // A failing list is made smaller for as long as a person would wait.
      { seed: SEED, numRuns: RUNS, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
    );
  });
});
