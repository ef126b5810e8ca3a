import { GuardedTransactions } from './guarded-transactions.js';
import type { PutOptions, TransactionValue } from './transaction-options.js';

/**
 * Transactions that commit only while their fences stand: in the same transaction etcd compares
 * that each fence's key was created at the fence's revision. So a holder that has lost what it
 * owned cannot write any more, however late it notices.
 */
export class FencedTransactions extends GuardedTransactions {
  /**
   * Puts a key while the fences stand. Resolves with the revision of the write.
   *
   * @throws StaleFenceError if one does not; nothing was written
   * @throws InvalidTransactionError, ReservedKeyError for what makes no sense; nothing was sent
   * @throws RequestTooLargeError for a value beyond what etcd takes, 1.5 MiB
   * @throws WriteOutcomeUnknownError if etcd did not answer for as long as a write may take
   */
  async put(key: string, value: TransactionValue, options?: PutOptions): Promise<bigint> {
    return (await this.batch().put(key, value, options).commit()).revision;
  }

  /** Deletes a key, if it is there, while the fences stand. As {@link put}. */
  async delete(key: string): Promise<bigint> {
    return (await this.batch().delete(key).commit()).revision;
  }
}
