import type { StandardSchemaV1 } from '@standard-schema/spec';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { settle } from '../../../../test/support/virtual-clock.js';
import { validateConfig } from './config-schema.js';
import { ConfigInvalidError } from './config.errors.js';

const placeOf = () => ({ key: 'prices', layer: null, revision: 3n });

/** A schema that answers as `validate` does. */
function schemaOf<T>(validate: (value: unknown) => unknown): StandardSchemaV1<unknown, T> {
  return { '~standard': { version: 1, vendor: 'test', validate: validate as never } };
}

function refusal(schema: StandardSchemaV1, value: unknown): ConfigInvalidError {
  try {
    void validateConfig(schema, value, placeOf);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigInvalidError);
    return error as ConfigInvalidError;
  }
  throw new Error('It was accepted.');
}

describe('a schema', () => {
  it('that answers at once does so within the call', () => {
    const schema = z.object({ at: z.coerce.date(), limit: z.number().default(5) });
    expect(validateConfig(schema, { at: 0 }, placeOf)).toEqual({ at: new Date(0), limit: 5 });
    expect(validateConfig(undefined, 'as it is', placeOf)).toBe('as it is');
  });

  it('that refuses has its issues told, with their paths and without the values', () => {
    const schema = z.object({
      users: z.array(z.object({ 'pass word': z.number() })),
      a: z.string(),
    });
    const error = refusal(schema, { users: [{ 'pass word': 'hunter2' }] });
    expect(error.message).toBe(
      'The configuration "prices", revision 3, is invalid: its schema says at users[0]["pass word"]: Invalid input: expected number, received string; at a: Invalid input: expected string, received undefined. Correct the document and set it again.',
    );
    expect(error.issues).toEqual([
      { path: ['users', 0, 'pass word'], message: expect.any(String) as string },
      { path: ['a'], message: expect.any(String) as string },
    ]);
  });

  it('with many issues has ten of them shown, and all told', () => {
    const schema = z.object(
      Object.fromEntries(Array.from({ length: 25 }, (_, i) => [`k${i}`, z.string()])),
    );
    const error = refusal(schema, {});
    expect(error.issues).toHaveLength(25);
    expect(error.message).toContain('at k9: ');
    expect(error.message).not.toContain('at k10: ');
    expect(error.message).toContain('; and 15 more.');
  });

  it('with path segments as objects, symbols and none is read', () => {
    const issues = [{ message: 'a', path: [{ key: 'x' }, Symbol('y'), 0] }, { message: 'b.' }];
    expect(
      refusal(
        schemaOf(() => ({ issues })),
        1,
      ).message,
    ).toContain('its schema says at x["Symbol(y)"][0]: a; b. Correct');
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'ok'],
    ['issues that are no list', { issues: 'bad' }],
  ])('that answers with %s is refused', (_, answer) => {
    expect(
      refusal(
        schemaOf(() => answer),
        1,
      ).message,
    ).toContain('neither a value nor issues');
  });

  it('that throws is refused; what it says may be secret, and is the cause alone', () => {
    const thrown = new RangeError('hunter2 is too long');
    const error = refusal(
      schemaOf(() => {
        throw thrown;
      }),
      1,
    );
    expect(error.message).toContain('its schema threw RangeError instead of answering');
    expect(error.message).not.toContain('hunter2');
    expect(error.cause).toBe(thrown);
  });

  it('that answers later is waited for', async () => {
    const good = schemaOf<number>(async (value) =>
      Promise.resolve({ value: (value as number) + 1 }),
    );
    await expect(validateConfig(good, 1, placeOf)).resolves.toBe(2);
    const bad = schemaOf(() => Promise.resolve({ issues: [{ message: 'no' }] }));
    await expect(validateConfig(bad, 1, placeOf)).rejects.toThrow('its schema says no.');
  });

  it('that rejects, or never answers, is refused', async () => {
    const rejecting = schemaOf(() => Promise.reject(new TypeError('hunter2')));
    await expect(validateConfig(rejecting, 1, placeOf)).rejects.toThrow(
      'its schema threw TypeError',
    );
    const silent = schemaOf(() => new Promise(() => undefined));
    await expect(validateConfig(silent, 1, placeOf, 20)).rejects.toThrow(
      'its schema has not answered within 20 ms',
    );
    let reject: (error: Error) => void = () => undefined;
    const late = schemaOf(() => new Promise((_, refuse) => (reject = refuse)));
    await expect(validateConfig(late, 1, placeOf, 20)).rejects.toThrow('within 20 ms');
    // Nobody waits for that any more, and nobody is hurt by it.
    reject(new Error('too late'));
    await settle();
  });
});
