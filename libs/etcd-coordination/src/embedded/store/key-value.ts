/**
 * A key as a string of its bytes (latin1: one character a byte). JavaScript
 * compares such strings exactly as etcd compares bytes, and a Map can hold them.
 */
export type Key = string;

/** The key that these bytes are. */
export function toKey(bytes: Buffer): Key {
  return bytes.toString('latin1');
}

/** The bytes of a key. */
export function toBytes(key: Key): Buffer {
  return Buffer.from(key, 'latin1');
}

/** A lease's id: a signed 64-bit integer. */
export type LeaseId = bigint;

/** The id that means "no lease". */
export const NO_LEASE: LeaseId = 0n;

/** One version of a key. Never changed once made: history hands it out as it is. */
export interface KeyValue {
  readonly key: Key;
  readonly value: Buffer;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  readonly lease: LeaseId;
}

/** What one write did to one key; of a deletion `kv` has only the key and the revision. */
export interface Change {
  readonly type: 'put' | 'delete';
  readonly kv: KeyValue;
}

const NOTHING = Buffer.alloc(0);

/** What etcd says of a key in the event of its deletion. */
export function deleted(key: Key, revision: number): KeyValue {
  return {
    key,
    value: NOTHING,
    createRevision: 0,
    modRevision: revision,
    version: 0,
    lease: NO_LEASE,
  };
}

/** What a comparison sees where there is no key. */
export const ABSENT: KeyValue = deleted('', 0);
