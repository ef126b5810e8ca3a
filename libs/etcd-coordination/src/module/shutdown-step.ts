import type { LoggerService } from '@nestjs/common';
import type { MonotonicClock } from '../client/clock.js';
import { settledWithin } from '../client/settled-within.js';

/** One step of leaving: bounded in time, told in one line, and soft, so that the next one comes. */
export async function shutdownStep(
  logger: LoggerService,
  clock: MonotonicClock,
  what: string,
  budgetMs: number,
  run: () => Promise<void>,
): Promise<void> {
  const since = clock.now();
  const failure: { error?: unknown } = {};
  const work = runCatching(run, failure);
  const settled = await settledWithin(clock, work, budgetMs);
  const tookMs = Math.round(clock.now() - since);
  if (!settled) {
    logger.warn(`${what} has not ended within ${budgetMs} ms; going on without it.`);
  } else if ('error' in failure) {
    logger.warn(`${what} failed after ${tookMs} ms; going on: ${String(failure.error)}`);
  } else {
    logger.log(`${what}: done in ${tookMs} ms.`);
  }
}

async function runCatching(run: () => Promise<void>, failure: { error?: unknown }): Promise<void> {
  try {
    await run();
  } catch (error) {
    failure.error = error;
  }
}
