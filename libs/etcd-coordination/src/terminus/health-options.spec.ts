import { describe, expect, it } from 'vitest';
import { readHealthOptions } from './health-options.js';
import { InvalidHealthOptionError } from './invalid-health-option.error.js';

const ALL = ['connection', 'refusedAfterMs', 'staleAfterMs', 'services', 'without'] as const;
const read = (given: unknown) => readHealthOptions('etcd', given, ALL);

describe('the options of a health check', () => {
  it('have defaults, also where they are undefined', () => {
    const defaults = { connection: 'default', staleAfterMs: 30_000, refusedAfterMs: 60_000 };
    expect(read({})).toMatchObject(defaults);
    expect(read({ connection: undefined, staleAfterMs: undefined })).toMatchObject(defaults);
    expect(read({ staleAfterMs: Infinity })).toMatchObject({ staleAfterMs: Infinity });
  });

  it.each([
    ['staleAfterMs', 0],
    ['staleAfterMs', -1],
    ['staleAfterMs', NaN],
    ['staleAfterMs', '30s'],
    ['refusedAfterMs', null],
    ['connection', 7],
    ['services', 'inventory'],
    ['services', ['']],
    ['services', [7]],
    ['without', 'registry'],
    ['without', ['registries']],
  ])('name %s when it is %j', (option, value) => {
    const refusal = expect.objectContaining({
      code: 'INVALID_HEALTH_OPTION',
      option,
      message: expect.stringMatching(
        new RegExp(`"${option}" of the health check "etcd" is .+: give .+\\.$`),
      ) as unknown,
    }) as unknown;
    expect(() => read({ [option]: value })).toThrow(InvalidHealthOptionError);
    expect(() => read({ [option]: value })).toThrow(refusal);
  });

  it('name one that there is none of, and the one that was meant', () => {
    expect(() => read({ staleAfter: 5 })).toThrow(/no such option. Did you mean "staleAfterMs"/);
    expect(() => readHealthOptions('etcd', { services: [] }, ['connection'])).toThrow(
      /The options here are: connection\./,
    );
  });

  it.each([null, 5, 'default', ['default']])('are an object, not %j', (given) => {
    expect(() => read(given)).toThrow(/give an object with some of: connection/);
  });
});
