import { isDeepStrictEqual, inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { differences, type ConfigDifference } from './config-diff.js';
import { mergeDocuments } from './config-merge.js';
import { deepFreeze, frozenCopy, plainCopy } from './deep-freeze.js';
import { isPlainObject, setOwn } from './plain-object.js';

/** Few keys and few values, so that two of them have something in common. `__proto__` is one. */
const key = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor');
const { value: anyValue } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constantFrom<unknown>(0, -0, 1, NaN, '', 'x', null, true, undefined, new Date(0), new Map()),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }).map(objectOf),
  ),
}));

function objectOf(entries: readonly [string, unknown][]): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (const [name, value] of entries) setOwn(object, name, value);
  return object;
}

/** As somebody does who has the old value and is told of the differences. */
function applyDifferences(before: unknown, found: readonly ConfigDifference[]): unknown {
  let root = plainCopy(before);
  for (const { path, type, after } of found) {
    if (path.length === 0) {
      root = plainCopy(after);
      continue;
    }
    let holder = root as Record<string | number, unknown>;
    for (const part of path.slice(0, -1)) {
      expect(Object.hasOwn(holder, part)).toBe(true);
      holder = holder[part] as Record<string | number, unknown>;
    }
    const last = path.at(-1)!;
    expect(Object.hasOwn(holder, last)).toBe(type !== 'added');
    if (type !== 'removed') setOwn(holder, String(last), plainCopy(after));
    else if (Array.isArray(holder)) holder.splice(last as number, 1);
    else delete holder[last];
  }
  return root;
}

/** As `toStrictEqual`, which takes a key `constructor` for an object's class. */
function expectSame(one: unknown, other: unknown): void {
  if (isDeepStrictEqual(one, other)) return;
  expect.fail(`${inspect(one, { depth: 9 })} is not ${inspect(other, { depth: 9 })}`);
}

function eachHeld(value: unknown, visit: (held: unknown) => void): void {
  visit(value);
  if (!Array.isArray(value) && !isPlainObject(value)) return;
  for (const held of Object.values(value)) eachHeld(held, visit);
}

/** Every object has what stands here. */
const prototype = Object.getOwnPropertyDescriptors(Object.prototype);
afterEach(() => expect(Object.getOwnPropertyDescriptors(Object.prototype)).toEqual(prototype));

describe('differences', () => {
  it('lead from the old value to the new one, applied in their order', () => {
    fc.assert(
      fc.property(anyValue, anyValue, (before, after) => {
        expectSame(applyDifferences(before, differences(before, after)), after);
      }),
      { numRuns: 3000 },
    );
  });

  it('are none between equal values, and only there', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        expect(differences(value, plainCopy(value))).toEqual([]);
        expect(differences({ in: value }, { in: value, more: 1 })).toHaveLength(1);
      }),
    );
  });

  it('name the places and both values', () => {
    const before = {
      limits: { perUser: 1, old: true },
      list: [1, 2, 3],
      at: new Date(0),
      same: [{}],
    };
    const after = { limits: { perUser: 2, new: 1 }, list: [1, 5], at: new Date(1), same: [{}] };
    expect(differences(before, after)).toEqual([
      { path: ['limits', 'perUser'], type: 'changed', before: 1, after: 2 },
      { path: ['limits', 'old'], type: 'removed', before: true },
      { path: ['limits', 'new'], type: 'added', after: 1 },
      { path: ['list', 1], type: 'changed', before: 2, after: 5 },
      { path: ['list', 2], type: 'removed', before: 3 },
      { path: ['at'], type: 'changed', before: new Date(0), after: new Date(1) },
    ]);
    expect(differences({ a: 1 }, [1])).toEqual([
      { path: [], type: 'changed', before: { a: 1 }, after: [1] },
    ]);
  });

  it('end where a value holds itself', () => {
    const circle = (value: number) => {
      const made: Record<string, unknown> = { value };
      made['self'] = made;
      return made;
    };
    expect(differences(circle(1), circle(1))).toEqual([]);
    expect(differences(circle(1), circle(2))[0]).toMatchObject({ path: ['value'] });
  });
});

describe('equality', () => {
  class Secret {
    readonly #secret: number;
    constructor(secret: number) {
      this.#secret = secret;
    }
    reveal(): number {
      return this.#secret;
    }
  }
  class Codes extends Array<number> {}

  it.each<[string, () => unknown, () => unknown]>([
    ['a class with private fields', () => new Secret(1), () => new Secret(2)],
    ['URLSearchParams', () => new URLSearchParams('a=1'), () => new URLSearchParams('a=2')],
    [
      'a format of Intl',
      () => new Intl.NumberFormat('de', { style: 'percent' }),
      () => new Intl.NumberFormat('de'),
    ],
    ['a subclass of Array', () => Codes.of(1), () => Codes.of(1)],
    ['a function', () => () => 1, () => () => 1],
    [
      'a Map of instances',
      () => new Map([[1, new Secret(1)]]),
      () => new Map([[1, new Secret(2)]]),
    ],
    ['a Set of instances', () => new Set([new Secret(1)]), () => new Set([new Secret(2)])],
    [
      'a property named by a symbol',
      () => ({ [Symbol.iterator]: 1 }),
      () => ({ [Symbol.iterator]: 2 }),
    ],
    ['an invalid Date', () => new Date(NaN), () => new Date(0)],
  ])('is not presumed of %s', (_, one, other) => {
    expect(differences({ in: one() }, { in: other() })).toMatchObject([
      { path: ['in'], type: 'changed' },
    ]);
    const same = one();
    expect(differences({ in: same }, { in: same })).toEqual([]);
  });

  it('of a Date, a Map and a Set is that of what they hold', () => {
    const make = (n: number) => ({
      at: new Date(n),
      map: new Map([['a', { n }]]),
      set: new Set([[n]]),
    });
    expect(differences(make(1), make(1))).toEqual([]);
    expect(differences(make(1), make(2)).map(({ path }) => path)).toEqual([
      ['at'],
      ['map'],
      ['set'],
    ]);
  });

  it('is told in differences that nobody can change for the others', () => {
    const found = differences({ a: 1 }, { a: 2, b: 3 });
    const parts = [found, ...found, ...found.map(({ path }) => path)];
    expect(parts.every(Object.isFrozen)).toBe(true);
  });
});

describe('merging', () => {
  it('takes plain objects key by key, and everything else whole', () => {
    const merged = mergeDocuments([
      { a: { b: 1, c: 2 }, list: [1, 2, 3], d: 1, e: { f: 1 } },
      { a: { c: 3, x: null }, list: [9], e: null },
      { a: { b: { deep: 1 } }, e: { g: 2 } },
    ]);
    expect(merged).toEqual({
      a: { b: { deep: 1 }, c: 3, x: null },
      list: [9],
      d: 1,
      e: { g: 2 },
    });
    expect(mergeDocuments([{ a: 1 }, [1], { b: 2 }])).toEqual({ b: 2 });
    expect(mergeDocuments([{ a: 1 }, null])).toBeNull();
    expect(mergeDocuments(['one', 'two'])).toBe('two');
  });

  it('gives each layer the last word on what it says', () => {
    const documents = fc.array(anyValue, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(documents, (values) => {
        const [last, rest] = [values.at(-1), values.slice(0, -1)];
        const merged = mergeDocuments(values);
        if (!isPlainObject(last)) return expectSame(merged, last);
        for (const [name, held] of Object.entries(last)) {
          const own = Object.getOwnPropertyDescriptor(merged, name)?.value as unknown;
          if (!isPlainObject(held)) expectSame(own, held);
        }
        const below = mergeDocuments(rest);
        if (!isPlainObject(below)) return expectSame(merged, last);
        for (const [name, held] of Object.entries(below)) {
          const own = Object.getOwnPropertyDescriptor(merged, name)?.value as unknown;
          if (!Object.hasOwn(last, name)) expectSame(own, held);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('shares nothing with the documents, nor changes them', () => {
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 4 }), (values) => {
        const copies = plainCopy(values);
        const held = new Set<unknown>();
        eachHeld(values, (one) => held.add(one));
        eachHeld(mergeDocuments(values.map(deepFreeze)), (one) => {
          if (Array.isArray(one) || isPlainObject(one)) expect(held.has(one)).toBe(false);
        });
        expectSame(values, copies);
      }),
    );
  });

  it('writes to one place only, where a document says the same thing twice', () => {
    const shared = { p: 1 };
    const merged = mergeDocuments([{ a: shared, b: shared, list: [shared] }, { a: { p: 2 } }]);
    expect(merged).toEqual({ a: { p: 2 }, b: { p: 1 }, list: [{ p: 1 }] });
  });

  it('of a key "__proto__" makes a key, and touches no prototype', () => {
    const merged = mergeDocuments([{}, objectOf([['__proto__', { admin: true }]])]) as object;
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(Object.hasOwn(merged, '__proto__')).toBe(true);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });
});

describe('freezing', () => {
  it('freezes every plain object and array, also under frozen ones, and nothing else', () => {
    fc.assert(
      fc.property(anyValue, (value) => {
        const copy = plainCopy(value);
        eachHeld(deepFreeze(Object.freeze({ in: copy })), (held) => {
          const isPlain = Array.isArray(held) || isPlainObject(held);
          if (typeof held === 'object' && held !== null) {
            expect(Object.isFrozen(held)).toBe(isPlain);
          }
        });
        expectSame(copy, value);
      }),
    );
  });

  it('ends with circles and with any depth, and reads no getter', () => {
    const circle: Record<string, unknown> = { list: [] };
    (circle['list'] as unknown[]).push(circle);
    expect(deepFreeze(circle)['list']).toSatisfy(Object.isFrozen);
    const deep = Array.from({ length: 100_000 }).reduce<unknown>((inner) => [inner], {});
    expect(deepFreeze(deep)).toSatisfy(Object.isFrozen);
    const lazy = {
      get now(): never {
        throw new Error('It was read.');
      },
    };
    expect(deepFreeze(lazy)).toSatisfy(Object.isFrozen);
  });

  it('of a copy leaves the original as it is', () => {
    const original = { a: [{ b: 1 }], at: new Date(0) };
    const copy = frozenCopy(original);
    expect(copy).toEqual(original);
    expect(copy.at).toBe(original.at);
    original.a[0]!.b = 2;
    expect(copy.a[0]!.b).toBe(1);
    expect(copy.a[0]).toSatisfy(Object.isFrozen);
  });
});
