import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lockEntrySegment, lockQueuePrefix } from '../client/keys.js';
import { nameFault } from '../client/name-fault.js';
import type { Fence } from '../context/fence.js';
import {
  decodeFence,
  decodeFences,
  encodeFence,
  encodeFences,
  MAX_FENCE_TEXT,
} from './fence-codec.js';
import { InvalidFenceError } from './fence.errors.js';

function fenceOf(name: string, token = 7n << 20n, revision = 7n): Fence {
  const segment = lockEntrySegment({ leaseId: 0x1fn, slot: 0, shared: false });
  return {
    resource: `lock/${name}`,
    key: lockQueuePrefix('shop', name) + segment,
    revision,
    token,
  };
}

const TEXT = '7340032;7;lock/sku/1;shop/lock/sku%252F1/queue/1f-0-w';

describe('a fence as a text', () => {
  it('can be read by people', () => {
    expect(encodeFence(fenceOf('sku/1'))).toBe(TEXT);
    expect(decodeFence(TEXT)).toEqual(fenceOf('sku/1'));
  });

  it('comes back as it was, whatever the name, and fits into a header', () => {
    const name = fc
      .string({ unit: 'binary', maxLength: 120 })
      .filter((text) => nameFault(text) === null && !/\p{Cc}/u.test(text));
    fc.assert(
      fc.property(name, fc.bigInt(1n, 2n ** 63n - 1n), fc.nat(2 ** 20 - 1), (lock, at, grant) => {
        const fence = fenceOf(lock, (at << 20n) + BigInt(grant), at);
        const text = encodeFence(fence);
        expect(text).toMatch(/^[\x21-\x7e]+$/);
        expect(text).not.toMatch(/,/);
        expect(decodeFence(text)).toEqual(fence);
      }),
    );
  });

  it('is no other text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.nat(TEXT.length), (noise, at) => {
        const changed = TEXT.slice(0, at) + noise + TEXT.slice(at + 1);
        const decoded = decodeFence(changed);
        // Either it is none, or it is the one and only text of what it says.
        expect(decoded === null || encodeFence(decoded) === changed).toBe(true);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['a token alone', '7'],
    ['three parts', '7;7;lock/a'],
    ['five parts', '7;7;lock/a;shop/a;x'],
    ['a token of zero', '0;7;lock/a;shop/a'],
    ['a negative token', '-7;7;lock/a;shop/a'],
    ['a token with a zero before it', '07;7;lock/a;shop/a'],
    ['a hexadecimal token', '0x7;7;lock/a;shop/a'],
    ['a token under its revision', '6;7;lock/a;shop/a'],
    ['a token over any of etcd', `${2n ** 83n};7;lock/a;shop/a`],
    ['a revision over any of etcd', `${2n ** 63n};${2n ** 63n};lock/a;shop/a`],
    ['a token of many digits', `${'9'.repeat(5000)};7;lock/a;shop/a`],
    ['no resource', '7;7;;shop/a'],
    ['a resource of no feature', '7;7;a;shop/a'],
    ['no key', '7;7;lock/a;'],
    ['a line break', '7;7;lock/a%0A;shop/a'],
    ['half an escape', '7;7;lock/a%4;shop/a'],
    ['an escape that is none in UTF-8', '7;7;lock/%FF;shop/a'],
    ['an escape that need not be', '7;7;lock/%61;shop/a'],
    ['white space', ' 7;7;lock/a;shop/a'],
    ['what no header may hold', '7;7;lock/ä;shop/a'],
    ['too much', `7;7;lock/${'a'.repeat(MAX_FENCE_TEXT)};shop/a`],
  ])('is not %s', (_, text) => {
    expect(decodeFence(text)).toBeNull();
  });

  it('is not made of what is no fence', () => {
    const fence = fenceOf('a');
    const wrong: object[] = [
      { ...fence, token: 7 },
      { ...fence, token: 6n },
      { ...fence, revision: 0n },
      { ...fence, resource: 'a' },
      { ...fence, resource: 'lock/\uD800' },
      { ...fence, key: '' },
      { ...fence, key: `shop/${'ä'.repeat(MAX_FENCE_TEXT)}` },
      {},
    ];
    for (const each of wrong) expect(() => encodeFence(each as Fence)).toThrow(InvalidFenceError);
  });
});

describe('several fences as a text', () => {
  const fences = [fenceOf('a'), fenceOf('b', 8n << 20n, 8n)];

  it('come back in their order, also as HTTP joins headers', () => {
    expect(decodeFences(encodeFences(fences))).toEqual(fences);
    expect(decodeFences(fences.map(encodeFence).join(' ,'))).toEqual(fences);
  });

  it('may name one twice, but not with two tokens', () => {
    const [a] = fences as [Fence, Fence];
    expect(decodeFences(encodeFences([a, a]))).toEqual([a]);
    expect(() => decodeFences(encodeFences([a, { ...a, token: a.token + 1n }]))).toThrow(
      /names "lock\/a" twice/,
    );
  });

  it.each(['', ',', `${TEXT},`, `${TEXT};`, 'nonsense', `${TEXT}, nonsense`])(
    'are not %j',
    (text) => {
      expect(() => decodeFences(text)).toThrow(InvalidFenceError);
    },
  );

  it('are no more than a call may carry', () => {
    const many = Array.from({ length: 17 }, (_, n) => fenceOf(`${n}`));
    expect(() => encodeFences(many)).toThrow(/17 fences/);
    expect(() => decodeFences(many.map(encodeFence).join())).toThrow(/17 fences/);
    const long = Array.from({ length: 16 }, (_, n) => fenceOf(`${n}${'x'.repeat(500)}`));
    expect(() => encodeFences(long)).toThrow(/characters are more/);
    expect(() => decodeFences(long.map(encodeFence).join())).toThrow(/characters are more/);
  });
});
