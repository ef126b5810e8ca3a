/**
 * Hashes for rendezvous: of 32 bits, quick, and the same in every process and version, for all
 * consumers are to send the same key to the same instance.
 */

/** FNV-1a over UTF-16 units, mixed as murmur3 ends. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mixed(hash);
}

/** One hash of two, which are not alike: `a` with `b` is another than `b` with `a`. */
export function hashPair(a: number, b: number): number {
  return mixed((Math.imul(a, 0x9e3779b1) + b) | 0);
}

/** As a number above 0 and below 1. */
export function asShare(hash: number): number {
  return (hash + 0.5) / 2 ** 32;
}

function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
