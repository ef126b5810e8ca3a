import type { RunResult } from './run-result.js';

/** So long in all, every kind of fault has had its turn more than once. */
const LONG_MINUTES = 10;

/**
 * The kinds of faults that no run of several hit anybody with, as whole sentences, if they were long enough in all;
 * those that none of them could have, for want of what its etcd or its security gives, are not among the runs' faults.
 *
 * @param runs of one system on one line of etcd
 */
export function neverHit(runs: readonly RunResult[]): string[] {
  const minutes = runs.reduce((sum, { faultMs }) => sum + faultMs, 0) / 60_000;
  if (minutes < LONG_MINUTES) return [];
  const counts = new Map<string, { begun: number; hit: number }>();
  for (const [kind, { begun, hit }] of runs.flatMap(({ faults }) => Object.entries(faults))) {
    const before = counts.get(kind) ?? { begun: 0, hit: 0 };
    counts.set(kind, { begun: before.begun + begun, hit: before.hit + hit });
  }
  return [...counts].flatMap(([kind, { begun, hit }]) =>
    hit > 0
      ? []
      : [`"${kind}" was begun ${begun} times in ${Math.round(minutes)} minutes and never hit.`],
  );
}
