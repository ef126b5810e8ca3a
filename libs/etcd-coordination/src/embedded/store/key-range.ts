import { type Key, toKey } from './key-value.js';

/** A key, or the keys from `from` up to but not including `to`. */
export interface KeyRange {
  readonly from: Key;
  /** `null`: only `from`. The empty string: every key from `from` on. */
  readonly to: Key | null;
}

const EVERYTHING_AFTER = '\0';

/** Reads a range as requests write it: no end is one key, an end of `\0` is "and all after". */
export function keyRange(key: Buffer, rangeEnd: Buffer): KeyRange {
  const end = toKey(rangeEnd);
  return {
    from: toKey(key),
    to: end === '' ? null : end === EVERYTHING_AFTER ? '' : end,
  };
}

/** Whether `key` lies in `range`. */
export function rangeContains(range: KeyRange, key: Key): boolean {
  if (range.to === null) return key === range.from;
  return key >= range.from && (range.to === '' || key < range.to);
}
