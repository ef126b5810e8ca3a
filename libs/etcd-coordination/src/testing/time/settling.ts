import { TestWaitError } from '../testing.errors.js';
import { DEFAULT_WITHIN_MS } from './test-time.js';

type Outcome<T> = { readonly value: T } | { readonly error: unknown };

/** What is told of work that does not settle. */
export interface Awaited {
  /** What was waited for, such as `the start of "instance-1"`. */
  readonly what: string;
  /** Where to look for what is in its way. */
  readonly cure: string;
}

const ANY_WORK: Awaited = {
  what: 'work to settle',
  cure: 'give it more time (withinMs), or see whether it waits for an instance that is frozen or cut off.',
};

/** Runs `work` while `until` lets time pass. */
export async function settling<T>(
  until: (condition: () => boolean, withinMs: number) => Promise<boolean>,
  work: Promise<T> | (() => Promise<T>),
  withinMs = DEFAULT_WITHIN_MS,
  { what, cure }: Awaited = ANY_WORK,
): Promise<T> {
  let outcome: Outcome<T> | undefined;
  (typeof work === 'function' ? work() : work).then(
    (value) => (outcome = { value }),
    (error: unknown) => (outcome = { error }),
  );
  if (!(await until(() => outcome !== undefined, withinMs))) {
    throw new TestWaitError(what, withinMs, `it is still under way: ${cure}`);
  }
  const settled = outcome!;
  if ('error' in settled) throw settled.error;
  return settled.value;
}
