import fc from 'fast-check';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Checkpoints, play } from './support/play-steps.js';
import { steps } from './support/generated-steps.js';
import { LINES, Rig } from './support/rig.js';

/** In CI always the same: what nobody has touched does not fail there by a list that nobody had thought of. */
const IN_CI = process.env['CI'] === 'true';
/** A run can be had again with the seed that it printed: CONFORMANCE_SEED=… */
const SEED = Number(process.env['CONFORMANCE_SEED'] ?? (IN_CI ? 5 : Date.now() % 2 ** 31));
const RUNS = Number(process.env['CONFORMANCE_RUNS'] ?? (IN_CI ? 100 : 200));
/** On a busy machine fewer are played; how many is printed. Making a failing list smaller ends then too. */
const LIMIT_MS = Number(process.env['CONFORMANCE_LIMIT_MS'] ?? 40_000);

describe.skipIf(LINES.length === 0)('lives that nobody thought of, as etcd lives them', () => {
  let rig: Rig;
  beforeAll(async () => void (rig = await Rig.start()));
  afterAll(() => rig.stop());

  test(`up to ${RUNS} generated lists of steps`, { timeout: LIMIT_MS * 2 + 30_000 }, async () => {
    let played = 0;
    const property = fc.asyncProperty(steps, async (list) => {
      const checkpoints: Checkpoints = [];
      await rig.compareAfterModel((server, base) => play(server, base, list, checkpoints));
      played++;
    });
    try {
      await fc.assert(property, {
        seed: SEED,
        numRuns: RUNS,
        interruptAfterTimeLimit: LIMIT_MS,
      });
    } finally {
      console.log(
        `Played ${played} of ${RUNS} generated lists on ${LINES.join(', ')}. ` +
          `Again: CONFORMANCE_SEED=${SEED} CONFORMANCE_RUNS=${RUNS}`,
      );
    }
  });
});
