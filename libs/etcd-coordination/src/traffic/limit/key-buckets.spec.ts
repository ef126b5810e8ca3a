import { describe, expect, it } from 'vitest';
import { KeyBuckets } from './key-buckets.js';

const PACE = { perMs: 0.01, capacity: 5 };

describe('the buckets of keys', () => {
  it('forget a key that is full again when another one needs the room', () => {
    const keys = new KeyBuckets(3);
    for (const key of ['a', 'b', 'c']) keys.of(key, 0, PACE).take(0, 5, PACE);
    // At 500 all are full again.
    expect(keys.of('d', 500, PACE).take(500, 5, PACE)).toBe(true);
    expect(keys.size).toBe(3);
  });

  it('have those that find no room share one, and forget nobody for them', () => {
    const keys = new KeyBuckets(3);
    for (const key of ['a', 'b', 'c']) keys.of(key, 0, PACE).take(0, 5, PACE);
    const strangers = Array.from({ length: 1000 }, (_, index) => `stranger-${index}`);
    const let5 = strangers.filter((key) => keys.of(key, 1, PACE).take(1, 1, PACE));
    expect(let5).toHaveLength(5);
    expect(keys.size).toBe(3);
    expect(keys.of('a', 1, PACE).take(1, 1, PACE)).toBe(false);
  });

  it('know long keys apart without keeping them', () => {
    const keys = new KeyBuckets(10);
    const long = 'x'.repeat(100_000);
    keys.of(`${long}a`, 0, PACE).take(0, 5, PACE);
    expect(keys.of(`${long}a`, 0, PACE).take(0, 1, PACE)).toBe(false);
    expect(keys.of(`${long}b`, 0, PACE).take(0, 1, PACE)).toBe(true);
  });
});
