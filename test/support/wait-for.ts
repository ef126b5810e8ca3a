import { setTimeout as pause } from 'node:timers/promises';
import { inspect } from 'node:util';

export interface WaitOptions {
  /** How long to go on asking, in milliseconds. Default 10,000. */
  readonly timeoutMs?: number;
  /** Between two questions, in milliseconds. Default 10. */
  readonly intervalMs?: number;
  /** What is waited for, to complete "waited … for …". */
  readonly what: string | (() => string);
}

/**
 * Asks until the condition gives something truthy, and returns that.
 * A condition that throws counts as not yet: its last error is the cause of the failure.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  options: WaitOptions,
): Promise<Exclude<Awaited<T>, false | null | undefined | 0 | ''>> {
  const { timeoutMs = 10_000, intervalMs = 10, what } = options;
  const started = performance.now();
  let lastError: unknown;
  let last: unknown;
  for (;;) {
    try {
      last = await condition();
      lastError = undefined;
      if (last) return last as Exclude<Awaited<T>, false | null | undefined | 0 | ''>;
    } catch (error) {
      lastError = error;
    }
    const waited = performance.now() - started;
    if (waited >= timeoutMs) throw notYet(what, waited, last, lastError);
    await pause(intervalMs);
  }
}

/** Settles as the promise does, or rejects naming what did not come in time. */
export async function within<T>(promise: Promise<T>, options: WaitOptions): Promise<T> {
  const { timeoutMs = 10_000, what } = options;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(notYet(what, timeoutMs, undefined, undefined)), timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

function notYet(what: WaitOptions['what'], waitedMs: number, last: unknown, error: unknown): Error {
  const name = typeof what === 'function' ? what() : what;
  const saw = error
    ? `; the last look failed: ${error instanceof Error ? error.message : inspect(error)}`
    : last === undefined
      ? ''
      : `; last seen: ${inspect(last)}`;
  return new Error(`Waited ${Math.round(waitedMs)} ms in vain for ${name}${saw}.`, {
    cause: error,
  });
}
