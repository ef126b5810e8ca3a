import type { LockOptions } from './lock-options.js';
import { InvalidLockOptionError } from './lock.errors.js';

/** The longest that a timer of Node can wait, in milliseconds: some 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

const NONE: LockOptions = {};

/** What some kinds of locks do not take, and why. */
export type Refused = Partial<Record<keyof LockOptions, string>>;

/**
 * Refuses options that are none, and values that they cannot have.
 *
 * @throws {InvalidLockOptionError} naming the lock, the option and what it may be
 */
export function readLockOptions(
  key: string,
  options: LockOptions | undefined,
  refused?: Refused,
): LockOptions {
  if (options === undefined) return NONE;
  if (typeof options !== 'object' || options === null) {
    throw new InvalidLockOptionError(key, 'object', 'is none: give an object, or leave it out');
  }
  for (const name in options) {
    const value: unknown = options[name as keyof LockOptions];
    if (value === undefined) continue;
    const fault = refused?.[name as keyof LockOptions] ?? faultOf(name, value);
    if (fault) throw new InvalidLockOptionError(key, name, fault);
  }
  return options;
}

function faultOf(name: string, value: unknown): string | null {
  switch (name) {
    case 'waitMs':
      return value === Infinity ? null : spanFault(value);
    case 'holdAtLeastMs':
      return spanFault(value);
    case 'keep':
    case 'reentrant':
      return typeof value === 'boolean' ? null : 'is neither true nor false';
    case 'queue':
      return value === 'local' || value === 'etcd' ? null : `is neither 'local' nor 'etcd'`;
    case 'signal':
      return value instanceof AbortSignal ? null : 'is not an AbortSignal';
    default:
      return 'is unknown; there are waitMs, signal, holdAtLeastMs, keep, queue and reentrant';
  }
}

function spanFault(value: unknown): string | null {
  if (typeof value !== 'number' || Number.isNaN(value)) {
    return 'is not a number: give milliseconds, 0 or more';
  }
  if (value < 0) return `is ${value}: give milliseconds, 0 or more`;
  return value > LONGEST_MS ? `is more than ${LONGEST_MS} ms, some 24 days` : null;
}
