import { setTimeout as pause } from 'node:timers/promises';
import type { Evidence } from '../check/evidence.js';
import { machineNow } from '../../e2e/election/machine-clock.js';
import type { ChaosWork } from '../works/work.js';

const LOOK_EVERY_MS = 250;

/**
 * Waits until every work is right again after the healing, each no longer than its own bound.
 *
 * @returns what did not come about in time
 */
export async function awaitWorks(
  works: readonly ChaosWork[],
  healedAt: number,
  /** Reads what came since, and answers with all. */
  look: () => Evidence,
): Promise<string[]> {
  const waiting = new Set(works);
  const late: string[] = [];
  for (;;) {
    const now = machineNow();
    const evidence = look();
    for (const work of waiting) {
      const awaited = work.awaited(evidence, healedAt);
      const bound = work.recoveryBoundMs(evidence.ttlMs);
      if (awaited.length === 0) waiting.delete(work);
      else if (now - healedAt > bound) {
        waiting.delete(work);
        late.push(...awaited.map((one) => `${work.name}, ${bound} ms after the healing: ${one}`));
      }
    }
    if (waiting.size === 0) return late;
    await pause(LOOK_EVERY_MS);
  }
}
