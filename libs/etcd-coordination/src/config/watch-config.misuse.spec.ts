import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { WatchConfig } from './watch-config.decorator.js';

interface Prices {
  readonly perItem: number;
}

describe('@WatchConfig in a wrong place', () => {
  /** The message of the error with which the definition of a class fails. */
  const refusal = (define: () => unknown): string => {
    try {
      define();
    } catch (error) {
      expect(error).toBeInstanceOf(InvalidDecoratorUseError);
      return (error as Error).message;
    }
    throw new Error('The class was defined.');
  };

  it('names the class and the property while the class is defined', () => {
    expect(
      refusal(() => {
        class Wrong {
          @WatchConfig('prices') static prices: Prices;
        }
        return Wrong;
      }),
    ).toMatch(/@WatchConfig on the static Wrong\.prices cannot work.*properties and methods of/);
    expect(
      refusal(() => {
        class Wrong {
          @WatchConfig('prices')
          static told(): void {}
        }
        return Wrong;
      }),
    ).toMatch(/the static Wrong\.told/);
    expect(
      refusal(() => {
        class Wrong {
          @WatchConfig('prices')
          get prices(): Prices {
            return { perItem: 0 };
          }
        }
        return Wrong;
      }),
    ).toMatch(/on Wrong\.prices cannot work: it is an accessor/);
  });

  it.each([
    ['a symbol', Symbol('prices'), /A value of type symbol/],
    ['an empty key', '', /"" cannot name a configuration: it is empty/],
    ['a key with an empty segment', 'a//b', /"a\/\/b" cannot name/],
  ])('refuses %s as a key', (_, key, words) => {
    expect(
      refusal(() => {
        class Wrong {
          @WatchConfig(key as string) readonly prices!: Prices;
        }
        return Wrong;
      }),
    ).toMatch(new RegExp(`Wrong\\.prices cannot work: .*${words.source}`));
  });

  it.each([
    ['that is misspelt', { shema: z.string() }, /no option "shema", only schema, default/],
    ['that is no schema', { schema: 'string' }, /no Standard Schema/],
    ['with an unknown format', { format: 'toml' }, /unknown format/],
    ['that is no object', null, /options that are no object/],
    ['that names no connection', { connection: '' }, /"connection" is no name/],
  ])('refuses an option %s', (_, options, words) => {
    expect(
      refusal(() => {
        class Wrong {
          @WatchConfig('prices', options as never) readonly prices!: Prices;
        }
        return Wrong;
      }),
    ).toMatch(words);
  });
});
