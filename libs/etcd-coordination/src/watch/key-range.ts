/** A range of keys as etcd takes it: from `key` up to, and without, `rangeEnd`. */
export interface KeyRange {
  readonly key: Buffer;
  /** Absent for the single key. */
  readonly rangeEnd?: Buffer;
}

/** The range of a single key. */
export function singleKey(key: string): KeyRange {
  return { key: Buffer.from(key) };
}

/** The range of every key that begins with `prefix`, which must not be empty. */
export function prefixRange(prefix: string): KeyRange {
  const key = Buffer.from(prefix);
  const rangeEnd = Buffer.from(key);
  // UTF-8 never holds 0xff, so the last byte can always be raised.
  rangeEnd[rangeEnd.length - 1]! += 1;
  return { key, rangeEnd };
}

/** Whether a key lies in a range. */
export function rangeHolds({ key, rangeEnd }: KeyRange, candidate: Buffer): boolean {
  if (!rangeEnd) return key.equals(candidate);
  return Buffer.compare(key, candidate) <= 0 && Buffer.compare(candidate, rangeEnd) < 0;
}
