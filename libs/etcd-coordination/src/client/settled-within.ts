import type { MonotonicClock } from './clock.js';

/** Waits until `work` has settled, however, or `budgetMs` is over. Says which it was; never rejects. */
export async function settledWithin(
  clock: MonotonicClock,
  work: Promise<unknown>,
  budgetMs: number,
): Promise<boolean> {
  let cancelTimer: () => void = () => undefined;
  const over = new Promise<false>((resolve) => {
    cancelTimer = clock.setTimer(() => resolve(false), budgetMs);
  });
  const settled = work.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, over]);
  } finally {
    cancelTimer();
  }
}
