import { setTimeout as pause } from 'node:timers/promises';

const LOOK_EVERY_MS = 20;

/**
 * Looks until `look` finds something other than null, and gives that.
 * @throws Error saying what was waited for, if it does not come within `withinMs`.
 */
export async function until<T>(
  what: string,
  withinMs: number,
  look: () => Promise<T | null> | T | null,
  everyMs = LOOK_EVERY_MS,
): Promise<T> {
  const start = performance.now();
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() - start > withinMs) {
      throw new Error(`${what} did not come within ${withinMs} ms.`);
    }
    await pause(everyMs);
  }
}
