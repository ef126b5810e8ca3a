import type { Figures, PromiseName, Verdicts } from '../check/evidence.js';
import { PROMISES } from '../check/evidence.js';
import { SeededRandom } from '../../support/seeded-random.js';
import type { RunOptions } from '../run/run-options.js';
import type { RunResult } from '../run/run-result.js';

/** A run as a page of many shows it, but for what is given. */
export function result(
  given: Partial<Omit<RunResult, 'options'>> & { readonly options?: Partial<RunOptions> } = {},
): RunResult {
  const { options, ...rest } = given;
  return {
    options: {
      ...{ line: '3.5', system: 'ours', seconds: 60, seed: 1, security: 'plain' },
      ...options,
    },
    ...{ etcdVersion: '3.5.30', nodeVersion: '20.20.2', libraryVersion: '0.1.0' },
    ...{ startedAt: '2026-11-23T02:00:00.000Z', faultMs: 60_000, lacks: [], folder: null },
    faults: { 'kill holder': { begun: 4, hit: 3 } },
    ...{ violations: clean(), inconclusive: [], figures: {} },
    ...rest,
  };
}

export function clean(found: Verdicts = {}): Verdicts {
  const none = Object.keys(PROMISES).map((promise) => [promise, []]);
  return { ...(Object.fromEntries(none) as Record<PromiseName, []>), ...found };
}

export const locks = (given: Partial<Figures> = {}): Readonly<Record<string, Figures>> => ({
  locks: {
    counts: { 'granted: using local': 200, 'granted: acquire': 50, 'late writes refused': 4 },
    operations: { ok: 100, failed: 10, ambiguous: 1 },
    ...given,
  },
});

/** As a whole evening of chaos comes to, to look at. */
export function manyResults(): RunResult[] {
  const random = new SeededRandom(3);
  const times = (count: number, from: number, to: number) =>
    Array.from({ length: count }, () => random.int(from, to));
  const versions = { '3.4': '3.4.23', '3.5.16': '3.5.16', '3.5': '3.5.30' };
  return (['ours', 'etcd3'] as const).flatMap((system) =>
    Object.entries(versions).map(([line, etcdVersion]) => {
      const slower = system === 'ours' ? 0 : 1500;
      return result({
        ...{ etcdVersion, options: { line, system, seconds: 180, seed: 42 } },
        violations:
          system === 'ours' ? clean() : clean({ 'one-owner': times(9, 1, 9).map(String) }),
        figures: locks({
          samples: {
            'kill holder': times(40, 1900 + slower, 2600 + slower),
            'freeze holder': times(60, 1500 + slower, 2500 + slower),
            'cut off both ways': times(20, 1500, 6500 + slower),
            close: times(30, 2, 60),
          },
        }),
      });
    }),
  );
}
