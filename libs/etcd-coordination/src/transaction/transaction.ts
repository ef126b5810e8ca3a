import type { WatchedValue } from '../watch/watched-value.js';
import type { PutOptions, TransactionValue } from './transaction-options.js';

/**
 * What the function given to `stm` reads and writes with. Its writes are kept here, seen by its own
 * later reads, and sent all at once when the function has ended. Keys are relative to the
 * namespace.
 */
export interface Transaction {
  /**
   * The value of a key, or null if there is none. What this transaction has put itself has the
   * revision 0. Reads that are asked for together, as with `Promise.all`, go in one call.
   *
   * @throws InvalidTransactionError for what cannot be a key, or after the transaction's end
   */
  get(key: string): Promise<WatchedValue | null>;
  /**
   * What stands under a prefix, in the order of the keys. A key that another adds there meanwhile
   * is a conflict, as is one that it changes or deletes. Each key counts towards the 128.
   *
   * @param options `limit`: the most keys to give; those after them may change freely
   * @throws InvalidTransactionError for what cannot begin a key, or after the transaction's end
   */
  range(prefix: string, options?: { readonly limit?: number }): Promise<readonly WatchedValue[]>;
  /**
   * Puts a key when the transaction commits.
   *
   * @throws InvalidTransactionError for a key, value or lease that makes no sense
   * @throws ReservedKeyError for a key of the library's own
   */
  put(key: string, value: TransactionValue, options?: PutOptions): void;
  /** Deletes a key, if it is there, when the transaction commits. Throws as {@link put} does. */
  delete(key: string): void;
}
