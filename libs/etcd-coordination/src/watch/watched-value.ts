import type { IKeyValue } from 'etcd3';
import { WatchedValueError } from './watch.errors.js';

/** A key's value, and when it came to be. */
export class WatchedValue {
  private constructor(
    /** Relative to the namespace. */
    readonly key: string,
    /** Shared by all who watch the key: not to be written to. */
    readonly value: Buffer,
    /** The revision of its last change. */
    readonly revision: bigint,
    /** The revision at which the key was created; a deleted key that is put again is created anew. */
    readonly createRevision: bigint,
    /** How often the key was put since it was created, that time included. */
    readonly version: bigint,
    /** The id of the lease that the key ends with, in decimal; null if it is on none. */
    readonly lease: string | null,
  ) {}

  /** @internal */
  static of(key: string, kv: IKeyValue): WatchedValue {
    return Object.freeze(
      new WatchedValue(
        key,
        kv.value,
        BigInt(kv.mod_revision),
        BigInt(kv.create_revision),
        BigInt(kv.version),
        kv.lease === '0' ? null : kv.lease,
      ),
    );
  }

  /** The value as UTF-8. */
  text(): string {
    return this.value.toString();
  }

  /**
   * The value as JSON, parsed anew at each call. Its type is what the caller takes it for.
   *
   * @throws WatchedValueError naming the key, if it is no JSON
   */
  json<T = unknown>(): T {
    return parseJson<T>(this);
  }

  toString(): string {
    return this.text();
  }
}

/** @throws WatchedValueError naming the key */
export function parseJson<T>(from: { key: string; revision: bigint; text(): string }): T {
  try {
    return JSON.parse(from.text()) as T;
  } catch (error) {
    const why = `is not JSON (${(error as Error).message}); read it with text(), or put JSON`;
    throw new WatchedValueError(from.key, from.revision, why, error);
  }
}
