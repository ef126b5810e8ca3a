import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  configLayerKey,
  configSequenceSegment,
  lockEntrySegment,
  lockGateKey,
  lockQueuePrefix,
  parseConfigSequence,
  parseLockEntry,
  permitsKey,
  semaphorePrefix,
} from './keys.js';

const names = fc.string({ minLength: 1, unit: fc.constantFrom('/', '%', 'a', '2', 'F', 'é') });
const entry = fc.record({
  leaseId: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
  slot: fc.nat(),
  shared: fc.boolean(),
});

describe('the keys of locks', () => {
  it('give back whose they are', () => {
    fc.assert(
      fc.property(entry, (id) => {
        expect(parseLockEntry(lockEntrySegment(id))).toEqual(id);
      }),
    );
  });

  it('take nothing else for one of theirs', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('0', '1', 'a', 'g', '-', 'w', 'r') }),
        (text) => {
          const id = parseLockEntry(text);
          if (id) expect(lockEntrySegment(id)).toBe(text);
        },
      ),
    );
  });

  it('of one name lie under no prefix of another, nor of another kind', () => {
    fc.assert(
      fc.property(names, names, entry, (one, other, id) => {
        fc.pre(one !== other);
        const keys = [
          lockQueuePrefix('ns', one) + lockEntrySegment(id),
          semaphorePrefix('ns', one) + lockEntrySegment(id),
          permitsKey('ns', one),
          lockGateKey('ns', one, id.leaseId),
        ];
        expect(new Set(keys).size).toBe(keys.length);
        for (const key of keys) {
          expect(key.startsWith(lockQueuePrefix('ns', other))).toBe(false);
          expect(key.startsWith(semaphorePrefix('ns', other))).toBe(false);
        }
        expect(keys.filter((key) => key.startsWith(lockQueuePrefix('ns', one)))).toHaveLength(1);
      }),
    );
  });
});

describe('the keys of configurations', () => {
  it('are different for different layers', () => {
    const path = fc.array(names, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(path, path, (one, other) => {
        fc.pre(JSON.stringify(one) !== JSON.stringify(other));
        expect(configLayerKey('ns', 'a', one)).not.toBe(configLayerKey('ns', 'a', other));
      }),
    );
  });

  it('of versions stand in the order of their numbers', () => {
    const sequence = fc.integer({ min: 1, max: 9_999_999_999 });
    fc.assert(
      fc.property(sequence, sequence, (a, b) => {
        const [one, other] = [configSequenceSegment(a), configSequenceSegment(b)];
        expect(one < other).toBe(a < b);
        expect(parseConfigSequence(one)).toBe(a);
      }),
    );
  });
});
