import type { KeyRange } from './key-range.js';
import type { Key } from './key-value.js';

/** Large enough that few blocks need searching, small enough that an insertion moves little. */
const MAX_BLOCK = 512;

/** A sorted set of keys, kept in sorted blocks so that an insertion costs no copy of the whole. */
export class SortedKeys {
  private readonly blocks: Key[][] = [[]];

  /** Adds a key that is not in the set. */
  add(key: Key): void {
    const at = this.blockOf(key);
    const block = this.blocks[at]!;
    block.splice(lowerBound(block, key), 0, key);
    if (block.length > MAX_BLOCK) this.blocks.splice(at + 1, 0, block.splice(MAX_BLOCK / 2));
  }

  /** Removes a key that is in the set. */
  remove(key: Key): void {
    const at = this.blockOf(key);
    const block = this.blocks[at]!;
    block.splice(lowerBound(block, key), 1);
    if (block.length === 0 && this.blocks.length > 1) this.blocks.splice(at, 1);
  }

  /** The keys of a range with an end, in order. The set must not change meanwhile. */
  *within({ from, to }: KeyRange): Generator<Key> {
    let at = this.blockOf(from);
    let index = lowerBound(this.blocks[at]!, from);
    for (; at < this.blocks.length; at++, index = 0) {
      const block = this.blocks[at]!;
      for (; index < block.length; index++) {
        const key = block[index]!;
        if (to && key >= to) return;
        yield key;
      }
    }
  }

  *[Symbol.iterator](): Generator<Key> {
    for (const block of this.blocks) yield* block;
  }

  /** The last block whose first key is not after `key`: where `key` is, or belongs. */
  private blockOf(key: Key): number {
    let low = 0;
    let high = this.blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.blocks[middle]![0]! <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** The index of the first key that is not before `key`. */
function lowerBound(block: readonly Key[], key: Key): number {
  let low = 0;
  let high = block.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (block[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
