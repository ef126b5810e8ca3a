import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  candidateKey,
  electionPrefix,
  escapeSegment,
  FEATURES,
  featurePrefix,
  namePrefix,
  namespaceFault,
  parseCandidateKey,
  parseKey,
  unescapeSegment,
} from './keys.js';

/** Any name that UTF-8 can say, many of them with the characters that matter. */
const names = fc.oneof(
  fc.string({ minLength: 1, unit: 'binary' }),
  fc.string({ minLength: 1, unit: fc.constantFrom('/', '%', 'a', '2', 'F', '\n', 'é') }),
);
const namespaces = fc.constantFrom('coordination', 'a', 'a/b', 'team/orders');

describe('keys', () => {
  it('builds one segment of a name', () => {
    expect(electionPrefix('coordination', 'reconciler')).toBe('coordination/election/reconciler/');
    expect(electionPrefix('ns', 'a/b')).toBe('ns/election/a%2Fb/');
    expect(electionPrefix('ns', 'a%2Fb')).toBe('ns/election/a%252Fb/');
    expect(electionPrefix('ns', 'a\n\u007f')).toBe('ns/election/a%0A%7F/');
    expect(electionPrefix('ns', 'größe 👑')).toBe('ns/election/größe 👑/');
    expect(namePrefix('ns', 'lock', 'a')).toBe('ns/lock/a/');
    expect(featurePrefix('ns', 'lock')).toBe('ns/lock/');
  });

  it('refuses an empty name, whose prefix would be that of all', () => {
    expect(() => namePrefix('ns', 'lock', '')).toThrow(/needs a name/);
  });

  it('gives back any name that was put into a key', () => {
    fc.assert(
      fc.property(
        namespaces,
        fc.constantFrom(...FEATURES),
        names,
        fc.string(),
        (ns, feature, name, rest) => {
          expect(parseKey(ns, namePrefix(ns, feature, name) + rest)).toEqual({
            feature,
            name,
            rest,
          });
        },
      ),
    );
  });

  it('keeps the keys of two names apart, whatever the names', () => {
    fc.assert(
      fc.property(names, names, fc.string(), (one, other, rest) => {
        fc.pre(one !== other);
        expect(
          (namePrefix('ns', 'lock', one) + rest).startsWith(namePrefix('ns', 'lock', other)),
        ).toBe(false);
      }),
    );
  });

  it('knows a segment that it did not make', () => {
    for (const segment of ['%', '%2', '%2f', '%41', 'a/b', '%ZZ']) {
      expect(unescapeSegment(segment)).toBeNull();
    }
    fc.assert(fc.property(names, (name) => unescapeSegment(escapeSegment(name)) === name));
  });

  it.each([
    '',
    'ns',
    'ns/',
    'ns/lock',
    'ns/lock/',
    'ns/lock/a',
    'ns/lock//x',
    'ns/other/a/x',
    'nslock/a/x',
    'ns/lock/%/x',
  ])('takes %j for no key of the namespace "ns"', (key) => {
    expect(parseKey('ns', key)).toBeNull();
  });

  it('gives back a candidate', () => {
    fc.assert(
      fc.property(
        names,
        fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
        fc.nat(),
        (election, leaseId, sequence) => {
          const key = candidateKey('ns', election, { leaseId, sequence });
          expect(parseCandidateKey('ns', key)).toEqual({ election, leaseId, sequence });
        },
      ),
    );
    expect(candidateKey('ns', 'a', { leaseId: 0x694dn, sequence: 3 })).toBe('ns/election/a/694d-3');
  });

  it.each([
    'ns/election/a/',
    'ns/election/a/694d',
    'ns/election/a/694d-',
    'ns/election/a/694D-1',
    'ns/election/a/0694d-1',
    'ns/election/a/694d-01',
    'ns/election/a/694d-1/x',
    'ns/election/a/x/694d-1',
    'ns/lock/a/694d-1',
  ])('takes %j for no candidate', (key) => {
    expect(parseCandidateKey('ns', key)).toBeNull();
  });
});

describe('a namespace', () => {
  it.each(['coordination', 'team/orders', 'election', 'größe'])('may be %j', (namespace) => {
    expect(namespaceFault(namespace)).toBeNull();
  });

  it.each([
    ['', 'is empty'],
    ['/a', 'starts with "/"'],
    ['a/', 'ends with "/"'],
    ['a//b', 'holds an empty segment, "//"'],
    ['a\0', 'holds a NUL character'],
    ['\udc00', 'holds half of a surrogate pair, which UTF-8 cannot say'],
    [7, 'is not a string'],
    // Its keys would lie among those of the namespace `a`.
    ['a/election', 'has a segment "election", where the keys of a shorter namespace would lie'],
  ])('may not be %j', (namespace, fault) => {
    expect(namespaceFault(namespace)).toBe(fault);
  });
});
