import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { formatReady, parseDocument, writeDocument } from './config-document.js';
import type { ConfigFormat } from './config-options.js';
import { ConfigInvalidError } from './config.errors.js';
import { jsonFault } from './json-fault.js';

const PLACE = { key: 'prices', layer: 'zone:eu', revision: 7n } as const;
const SECRET = 'hunter2';

const parse = (text: string | Buffer, format: ConfigFormat = 'json') =>
  parseDocument(Buffer.from(text), format, PLACE);

/** The error that reading a document ends in. */
function refusal(text: string | Buffer, format: ConfigFormat = 'json'): ConfigInvalidError {
  try {
    parse(text, format);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigInvalidError);
    return error as ConfigInvalidError;
  }
  throw new Error('It was read.');
}

beforeAll(() => formatReady('yaml') ?? undefined);

describe('a JSON document', () => {
  it('is read as what it says, frozen', () => {
    const value = parse('{"a": [1, {"b": null}], "ü": "€"}\n') as { a: unknown[] };
    expect(value).toEqual({ a: [1, { b: null }], ü: '€' });
    expect([value, value.a, value.a[1]].every(Object.isFrozen)).toBe(true);
  });

  it('may begin with a byte order mark', () => {
    expect(parse('\ufeff{"a": 1}')).toEqual({ a: 1 });
  });

  it('is refused naming key, layer, revision, line, column and cure, and not what stands there', () => {
    const error = refusal(`{\n  "user": "${SECRET}",\n  "password": ${SECRET}\n}`);
    expect(error.message).toBe(
      'The configuration "prices", layer "zone:eu", revision 7, is invalid: it is no JSON at line 3, column 15: a value is expected here. Correct the document and set it again.',
    );
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      key: 'prices',
      layer: 'zone:eu',
      revision: 7n,
    });
    // Nor may whoever prints the whole error see it.
    expect(error.cause).toBeUndefined();
  });

  it.each([
    ['', 'line 1, column 1: the document ends too early'],
    ['{"a": 1', 'column 8: the document ends too early'],
    ['{"a": 1,}', 'column 9: a key in double quotes is expected here'],
    ['{"a" 1}', 'column 6: ":" is expected here'],
    ['{"a": 1 "b": 2}', 'column 9: "," or "}" is expected here'],
    ['[1 2]', 'column 4: "," or "]" is expected here'],
    ['[1,]', 'column 4: a value is expected here'],
    ['{} {}', 'column 4: nothing more is expected here'],
    ["{'a': 1}", 'column 2: a key in double quotes'],
    ['"a', 'column 1: the text that begins here has no end'],
    ['"a\nb"', 'column 3: a line break or control character'],
    ['"\\x"', 'column 2: a backslash must be doubled'],
    ['01', 'column 2: nothing more is expected here'],
    ['{"a": tru}', 'column 7: a value is expected here'],
  ])('%j is refused: %s', (text, what) => {
    expect(refusal(text).message).toContain(what);
  });

  it('is judged as JSON.parse does, whatever it is', () => {
    const pieces = fc.constantFrom(
      ...['{', '}', '[', ']', ',', ':', '"', 'a', '"a"', '1', '-', '.5', 'e3', '0', 'true', 'nul'],
      ...['null', ' ', '\n', '\\', '\\n', '\\u00', '\u0001', '\u00a0', '\ufeff', '1.5e+2'],
    );
    const mutated = fc.tuple(fc.json(), fc.nat(), pieces).map(([text, at, piece]) => {
      const place = at % (text.length + 1);
      return text.slice(0, place) + piece + text.slice(place + (at % 3));
    });
    const any = fc.array(pieces, { maxLength: 12 }).map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(mutated, any, fc.json()), (text) => {
        let good = true;
        try {
          JSON.parse(text);
        } catch {
          good = false;
        }
        expect(jsonFault(text) === null).toBe(good);
      }),
      { numRuns: 3000 },
    );
  });

  it('of 10,000 levels is refused, and so is one of a million', () => {
    for (const levels of [101, 10_000, 700_000]) {
      const error = refusal('['.repeat(levels) + ']'.repeat(levels));
      expect(error.message).toContain('it is nested deeper than 100 levels');
      expect(refusal('{"a":'.repeat(levels) + '1' + '}'.repeat(levels)).message).toContain(
        '100 levels at a.a.a',
      );
      expect(refusal('['.repeat(levels)).message).toContain('ends too early');
    }
    expect(parse('['.repeat(100) + ']'.repeat(100))).toHaveLength(1);
  });

  it('with a key "__proto__" is refused, wherever it stands', () => {
    expect(refusal('{"a": [{"__proto__": {"admin": true}}]}').message).toContain(
      'it has a key "__proto__" at a[0]',
    );
    expect(refusal('{"\\u005f_proto__": 1}').message).toContain('"__proto__"');
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(parse('{"constructor": 1, "toString": 2}')).toEqual({ constructor: 1, toString: 2 });
  });

  it('that is no UTF-8 is refused', () => {
    for (const bytes of [
      [0xff, 0xfe, 0x7b, 0],
      [0x22, 0xc3, 0x28, 0x22],
      [0x22, 0xed, 0xa0, 0x80, 0x22],
    ]) {
      expect(refusal(Buffer.from(bytes)).message).toContain('it is not UTF-8');
    }
  });
});

describe('a YAML document', () => {
  it('is read as YAML 1.2', () => {
    const text = '# prices\nyes: no\non: 0o17\nlist:\n  - 1.5\n  - ~\nday: 2020-01-01\n1: one\n';
    expect(parse(text, 'yaml')).toEqual({
      yes: 'no',
      on: 15,
      list: [1.5, null],
      day: '2020-01-01',
      1: 'one',
    });
    expect(parse('\ufeffa: &x {b: 1}\nc: *x\n', 'yaml')).toEqual({ a: { b: 1 }, c: { b: 1 } });
    expect(parse('{"json": ["too"]}', 'yaml')).toEqual({ json: ['too'] });
  });

  it('of more than 256 KiB is refused unread: every process would be held up by it', () => {
    const long = (bytes: number) => `a: ${'x'.repeat(bytes - 3)}`;
    expect(parse(long(256 * 1024), 'yaml')).toHaveProperty('a');
    const { message } = refusal(long(256 * 1024 + 1), 'yaml');
    expect(message).toMatch(/is YAML of 262145 bytes, .* more than 262144 .*; write it as JSON/);
    expect(parse(JSON.stringify('x'.repeat(1024 * 1024)))).toHaveLength(1024 * 1024);
  });

  it.each([
    [`a: "${SECRET}\nb: 1`, 'lacks a character'],
    [`a: 1\n  ${SECRET}: 2\n`, 'line '],
    [`a:\n\t- ${SECRET}\n`, 'is indented by a tab; use spaces (line 2, column 1)'],
    [`${SECRET}: 1\nb: 2\n${SECRET}: 3\n`, 'has a key twice (line 3, column 1)'],
    [`a: {x: ${SECRET}, x: ${SECRET}}`, 'has a key twice (line 1, column'],
    [`a: *${SECRET}`, 'has aliases without an anchor'],
    [`a: !${SECRET} 1`, 'has a tag that means nothing here'],
    ['a: !!binary aGk=', 'has a tag of a type that no configuration can hold at a'],
    ['a: !!set {b, c}', 'has a tag of a type that no configuration can hold at a'],
    [`a: 1\n---\nb: ${SECRET}`, 'holds several documents'],
    ['', 'is empty; write {}'],
    ['# nothing\n', 'is empty; write {}'],
    ['? [a]\n: 1\n', 'has a key that is no text'],
    ['__proto__: {admin: true}', 'has a key "__proto__"'],
    ['a: [&x b, c]\n*x : 1', 'has a key that is no text'],
    ['a:\n  - "__proto__": 1', 'has a key "__proto__" at a[0]'],
    ['&a [*a]', 'is nested deeper than 100 levels'],
    ['a: &a [*a, *a]', 'is nested deeper than 100 levels'],
  ])('%j is refused: %s', (text, what) => {
    const { message, cause } = refusal(text, 'yaml');
    expect(message).toContain(what);
    expect(message).not.toContain(SECRET);
    expect(cause).toBeUndefined();
  });

  // The parser that reads them would end the process.
  it.each([
    ['brackets', '['.repeat(10_000) + ']'.repeat(10_000)],
    ['braces', '{a: '.repeat(10_000) + '}'.repeat(10_000)],
    ['dashes', '- '.repeat(10_000) + 'x'],
    ['question marks', '? '.repeat(10_000) + 'x'],
    ['brackets without an end', '['.repeat(260_000)],
    ['dashes for 256 KiB', '- '.repeat(131_072)],
    ['indents', Array.from({ length: 700 }, (_, i) => `${' '.repeat(i)}a:\n`).join('')],
  ])('of hundreds of levels and more is refused: %s', (_, text) => {
    expect(refusal(text, 'yaml').message).toContain('is nested deeper than 100 levels (line ');
  });

  it('of 100 levels is read', () => {
    expect(parse('['.repeat(100) + ']'.repeat(100), 'yaml')).toHaveLength(1);
    expect(parse('- '.repeat(100) + 'x', 'yaml')).toHaveLength(1);
    const indents = Array.from({ length: 100 }, (_, i) => `${' '.repeat(i)}a:\n`).join('');
    expect(parse(`${indents}${' '.repeat(100)}x`, 'yaml')).toHaveProperty('a');
  });

  it('whose aliases would grow without end is refused', () => {
    const lines = 'bcdefghi'.split('').map((name, i) => {
      return `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[i]}`).join(', ')}]`;
    });
    const laughs = ['a: &a [x, x, x, x, x, x, x, x, x]', ...lines].join('\n');
    expect(refusal(laughs, 'yaml').message).toContain('has aliases without an anchor, or too many');
    const many = Array.from({ length: 1_001 }, (_, i) => `k${i}: &a${i} 1\nl${i}: *a${i}\n`).join(
      '',
    );
    expect(refusal(many, 'yaml').message).toContain('has more than 1000 aliases (line 2002');
    const wide = `a: &a [${'1,'.repeat(20_000)}]\nb: [${'*a,'.repeat(60)}]`;
    expect(refusal(wide, 'yaml').message).toContain('holds more than 1000000 values');
  });
});

describe('a text document', () => {
  it('is its text', () => {
    expect(parse('{"a', 'text')).toBe('{"a');
    expect(parse('', 'text')).toBe('');
    expect(refusal(Buffer.from([0xff]), 'text').message).toContain('it is not UTF-8');
  });
});

describe('a value', () => {
  const json = fc.jsonValue({ maxDepth: 6 }).filter((value) => !hasProto(value));

  it.each(['json', 'yaml'] as const)('is read as it was written: %s', async (format) => {
    await fc.assert(
      fc.asyncProperty(json, async (value) => {
        const document = await writeDocument(value, format, PLACE);
        // There is no -0 in JSON.
        expect(parse(document, format)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 300 },
    );
  });

  it('is written as toJSON says, and instances of classes by their own properties', async () => {
    class Price {
      amount = 1;
      get double() {
        return 2;
      }
    }
    const value = { at: new Date(0), prices: [new Price()], none: Object.create(null) as object };
    const document = await writeDocument(value, 'json', PLACE);
    expect(document.toString()).toBe(
      '{"at":"1970-01-01T00:00:00.000Z","prices":[{"amount":1}],"none":{}}',
    );
  });

  const circle: Record<string, unknown> = {};
  circle['self'] = [circle];
  const deep = Array.from({ length: 10_000 }).reduce<unknown>((inner) => [inner], 0);
  it.each([
    ['undefined', { a: [{ b: undefined }] }, 'it holds undefined at a[0].b'],
    ['a hole', { a: [1, , 2] }, 'it holds undefined at a[1]'], // oxlint-disable-line no-sparse-arrays
    ['a function', { a: () => 1 }, 'it holds a function at a'],
    ['a symbol', [Symbol('x')], 'it holds a symbol at [0]'],
    ['a bigint', { 'a b': 1n }, 'it holds a bigint at ["a b"]'],
    ['NaN', { a: NaN }, 'it holds NaN at a'],
    ['Infinity', { a: -Infinity }, 'it holds -Infinity at a'],
    ['a circle', { a: circle }, 'it holds itself in a circle at a.self[0]'],
    ['a Map', { a: new Map() }, 'it holds a Map at a'],
    ['a Set', new Set(), 'it holds a Set, '],
    ['a depth', deep, 'it is nested deeper than 100 levels at [0][0][0]'],
    ['__proto__', JSON.parse('{"a": {"__proto__": 1}}'), 'it has a key "__proto__" at a'],
    ['nothing', undefined, 'it holds undefined, '],
  ])('cannot be written with %s', async (_, value, what) => {
    for (const format of ['json', 'yaml'] as const) {
      const refused = writeDocument(value, format, {
        key: 'prices',
        layer: 'shared',
        revision: null,
      });
      await expect(refused).rejects.toThrow(ConfigInvalidError);
      await expect(refused).rejects.toThrow(
        `The configuration "prices", layer "shared", is invalid: ${what}`,
      );
    }
  });

  it('twice in one place is no circle', async () => {
    const shared = { a: 1 };
    const document = await writeDocument([shared, shared], 'yaml', PLACE);
    expect(parse(document, 'yaml')).toEqual([shared, shared]);
    expect(document.toString()).not.toMatch(/[&*]/);
  });

  it('can be written as text only if it is one', async () => {
    expect((await writeDocument('héllo', 'text', PLACE)).toString()).toBe('héllo');
    await expect(writeDocument(1, 'text', PLACE)).rejects.toThrow('the value is no string');
  });
});

function hasProto(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProto);
}
