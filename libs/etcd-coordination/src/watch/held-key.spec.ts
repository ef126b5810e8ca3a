import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import { REVISIONS, VALUES } from './held-key.js';

const KIB = 1024;

/** A key and a value of so many bytes as slices of an answer of `answerBytes`. */
function sliced(valueBytes: number, answerBytes: number): IKeyValue {
  const answer = Buffer.alloc(answerBytes, 'v');
  return {
    key: answer.subarray(0, 1),
    value: answer.subarray(1, 1 + valueBytes),
    ...{ mod_revision: '7', create_revision: '5', version: '2', lease: '0' },
  };
}

describe('what a view that keeps values holds of a key', () => {
  it.each([
    ['a small value of a large answer', 10, 2048 * KIB],
    ['a value of less than half of its answer', 900 * KIB, 2048 * KIB],
  ])('is a copy of its own of %s', (_, valueBytes, answerBytes) => {
    const kv = sliced(valueBytes, answerBytes);
    const own = VALUES.own(kv);
    expect({ ...own, key: null, value: null }).toEqual({ ...kv, key: null, value: null });
    expect([own.key.equals(kv.key), own.value.equals(kv.value)]).toEqual([true, true]);
    expect(own.key.buffer.byteLength).toBeLessThan(answerBytes);
    expect(own.value.buffer.byteLength).toBeLessThan(answerBytes);
    expect(VALUES.keep(own)).toBe(own);
  });

  it('is the answer itself where that is small, which a copy would not better', () => {
    const kv = sliced(10, 8 * KIB);
    expect(VALUES.own(kv)).toBe(kv);
  });

  it('is a slice of an answer that it nearly fills: that is not worth a copy', () => {
    const kv = sliced(1500 * KIB, 1600 * KIB);
    const own = VALUES.own(kv);
    expect(own.value).toBe(kv.value);
    // The key is not.
    expect(own.key.buffer.byteLength).toBeLessThan(16 * KIB);
  });
});

it('is its revision alone in a view that tells changes only', () => {
  const kv = sliced(10, 2048 * KIB);
  expect(REVISIONS.own(kv)).toBe(kv);
  expect(REVISIONS.keep(kv)).toEqual({ mod_revision: '7' });
});
