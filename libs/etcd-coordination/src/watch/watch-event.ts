import { parseJson, type WatchedValue } from './watched-value.js';
import { WatchedValueError } from './watch.errors.js';

/** One change of one key. */
export class WatchEvent {
  constructor(
    readonly type: 'put' | 'delete',
    /** Relative to the namespace. */
    readonly key: string,
    /** The new value; empty for a delete. Shared by all who watch the key: not to be written to. */
    readonly value: Buffer,
    /** The revision of the change. Changes that were made together share it. */
    readonly revision: bigint,
    /**
     * The change was worked out from a fresh list, because events were compacted away or the
     * database was restored. It may stand for several changes; a put has its own revision, a
     * delete that of the list.
     */
    readonly resync: boolean,
    /**
     * The value before, if it was asked for and there was one. Of a change that was made while
     * the watch began it is not known.
     */
    readonly previous?: WatchedValue,
  ) {}

  /** The value as UTF-8; empty for a delete. */
  text(): string {
    return this.value.toString();
  }

  /**
   * The value as JSON, parsed anew at each call. Its type is what the caller takes it for.
   *
   * @throws WatchedValueError naming the key, if it is no JSON or was deleted
   */
  json<T = unknown>(): T {
    if (this.type === 'delete') {
      const why = 'was deleted and cannot be read as JSON; look at the type of the event first';
      throw new WatchedValueError(this.key, this.revision, why);
    }
    return parseJson<T>(this);
  }
}
