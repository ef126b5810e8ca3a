import { TestWaitError } from '../testing.errors.js';
import { DEFAULT_WITHIN_MS } from './test-time.js';

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** Runs `work` while `until` lets time pass. */
export async function settling<T>(
  until: (condition: () => boolean, withinMs: number) => Promise<boolean>,
  work: Promise<T> | (() => Promise<T>),
  withinMs = DEFAULT_WITHIN_MS,
): Promise<T> {
  let outcome: Outcome<T> | undefined;
  (typeof work === 'function' ? work() : work).then(
    (value) => (outcome = { value }),
    (error: unknown) => (outcome = { error }),
  );
  if (!(await until(() => outcome !== undefined, withinMs))) {
    throw new TestWaitError(
      'work to settle',
      withinMs,
      'it is still under way: give it more time (withinMs), or see whether it waits for an instance that is frozen or cut off.',
    );
  }
  const settled = outcome!;
  if ('error' in settled) throw settled.error;
  return settled.value;
}
