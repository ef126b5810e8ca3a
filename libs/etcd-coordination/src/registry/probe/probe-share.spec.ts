import { describe, expect, it } from 'vitest';
import { activeProbers, ProbeShare } from './probe-share.js';

const names = (count: number, name = 'target') =>
  Array.from({ length: count }, (_, index) => `${name}-${index}`);

/** Which of the targets are a process's to probe. */
function shareOf(
  candidates: readonly string[],
  ownId: string,
  keys: readonly string[],
  perProber?: number,
): string[] {
  const share = new ProbeShare(activeProbers(candidates, keys.length, perProber), ownId);
  return keys.filter((key) => share.isMine(key));
}

describe('who probes', () => {
  it.each([
    [0, []],
    [1, ['a']],
    [200, ['a']],
    [201, ['a', 'b']],
    [600, ['a', 'b', 'c']],
    [601, ['a', 'b', 'c']],
  ])('%i targets are probed by %j', (targets, expected) => {
    expect(activeProbers(['a', 'b', 'c'], targets)).toEqual(expected);
  });

  it('are processes: one that stands twice counts once', () => {
    expect(activeProbers(['a', 'a', 'b'], 300)).toEqual(['a', 'b']);
  });
});

describe('a share of the targets', () => {
  const keys = names(600);
  const candidates = ['a', 'b', 'c', 'd'];

  it('is everybody’s of exactly one prober, and about as large as those of the others', () => {
    const shares = candidates.map((id) => shareOf(candidates, id, keys));
    expect(shares.flat().sort()).toEqual([...keys].sort());
    for (const share of shares.slice(0, 3)) {
      expect(share.length).toBeGreaterThan(150);
      expect(share.length).toBeLessThan(250);
    }
    expect(shares[3]).toEqual([]);
  });

  it('moves by about a third, and to the new one only, when a third comes to two', () => {
    const two = (id: string) => shareOf(['a', 'b'], id, keys, 300);
    const three = (id: string) => shareOf(['a', 'b', 'c'], id, keys, 200);
    for (const id of ['a', 'b']) expect(two(id)).toEqual(expect.arrayContaining(three(id)));
    expect(three('c').length).toBeLessThan(250);
  });

  it('is nothing for one who does not stand, and all for one who stands alone', () => {
    expect(shareOf(candidates, 'x', keys)).toEqual([]);
    expect(shareOf(['a'], 'a', keys)).toEqual(keys);
    expect(shareOf([], 'a', keys)).toEqual([]);
  });
});
