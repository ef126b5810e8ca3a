import { describe, expect, it } from 'vitest';
import type { LockOptions } from './lock-options.js';
import { InvalidLockOptionError } from './lock.errors.js';
import { readLockOptions, type Refused } from './read-lock-options.js';

describe('the options of a lock', () => {
  const read = (options: unknown, refused?: Refused) =>
    readLockOptions('sku/1', options as LockOptions | undefined, refused);

  it('may be left out', () => {
    expect(read(undefined)).toEqual({});
  });

  it.each([null, 5, 'wait', true, () => ({})])('are an object, and not %j', (given) => {
    expect(() => read(given)).toThrow('The option object of the lock "sku/1" is none');
  });

  it.each<LockOptions>([
    {},
    { waitMs: 0 },
    { waitMs: 0.5 },
    { waitMs: Infinity },
    { waitMs: 2 ** 31 - 1, holdAtLeastMs: 2 ** 31 - 1 },
    { holdAtLeastMs: 0 },
    { keep: true, reentrant: false },
    { queue: 'local' },
    { queue: 'etcd' },
    { signal: AbortSignal.abort() },
  ])('are taken as they are given: %j', (given) => {
    expect(read(given)).toBe(given);
  });

  it('may each be undefined, as if it was left out, where it is refused and where it is unknown too', () => {
    const given = { waitMs: undefined, signal: undefined, keep: undefined, wait: undefined };
    expect(read(given, { keep: 'is for others' })).toBe(given);
  });

  const NUMBER = 'is not a number: give milliseconds, 0 or more';
  it.each([
    [{ waitMs: '5' }, NUMBER],
    [{ waitMs: null }, NUMBER],
    [{ waitMs: NaN }, NUMBER],
    [{ waitMs: -1 }, 'is -1: give milliseconds, 0 or more'],
    [{ waitMs: -Infinity }, 'is -Infinity: give milliseconds, 0 or more'],
    // A timer of Node would end at once.
    [{ waitMs: 2 ** 31 }, 'is more than 2147483647 ms, some 24 days'],
    [{ holdAtLeastMs: 5n }, NUMBER],
    [{ holdAtLeastMs: -0.1 }, 'is -0.1: give milliseconds, 0 or more'],
    [{ holdAtLeastMs: 2 ** 31 }, 'is more than 2147483647 ms, some 24 days'],
    // Unlike a wait it cannot go on for ever.
    [{ holdAtLeastMs: Infinity }, 'is more than 2147483647 ms, some 24 days'],
    [{ keep: 'yes' }, 'is neither true nor false'],
    [{ keep: null }, 'is neither true nor false'],
    [{ reentrant: 1 }, 'is neither true nor false'],
    [{ queue: 'strict' }, `is neither 'local' nor 'etcd'`],
    [{ signal: new AbortController() }, 'is not an AbortSignal'],
    [{ signal: { aborted: false } }, 'is not an AbortSignal'],
    [
      { timeoutMs: 5 },
      'is unknown; there are waitMs, signal, holdAtLeastMs, keep, queue and reentrant',
    ],
  ])('are refused by name if they cannot be so', (given, fault) => {
    const option = Object.keys(given)[0]!;
    const error = refusalOf(() => read(given));
    expect(error).toBeInstanceOf(InvalidLockOptionError);
    expect(error).toMatchObject({ code: 'INVALID_LOCK_OPTION', key: 'sku/1', option });
    expect(error.message).toBe(`The option ${option} of the lock "sku/1" ${fault}.`);
  });

  it('are refused where that kind of lock does not take them, and only these', () => {
    const refused = { keep: 'is for a lock that one holds at a time' };
    const error = refusalOf(() => read({ waitMs: 5, keep: true }, refused));
    expect(error.message).toBe(
      'The option keep of the lock "sku/1" is for a lock that one holds at a time.',
    );
    expect(read({ waitMs: 5 }, refused)).toEqual({ waitMs: 5 });
  });

  it('are refused where a prototype has them, from where they would be read, too', () => {
    class Defaults {
      declare readonly waitMs: number;
    }
    Object.defineProperty(Defaults.prototype, 'waitMs', { value: -1, enumerable: true });
    expect(refusalOf(() => read(new Defaults()))).toMatchObject({ option: 'waitMs' });
  });
});

function refusalOf(read: () => unknown): InvalidLockOptionError {
  try {
    read();
  } catch (error) {
    return error as InvalidLockOptionError;
  }
  throw new Error('It was not refused.');
}
