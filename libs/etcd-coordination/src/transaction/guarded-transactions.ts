import type { WatchedValue } from '../watch/watched-value.js';
import type { Expectation } from './expectation.js';
import type { FenceGuard } from './fence-guard.js';
import { runStm, type StmResult, type TransactionGround } from './run-stm.js';
import { TransactionBatch } from './transaction-batch.js';
import {
  readStmOptions,
  shown,
  type PutOptions,
  type RetryOptions,
  type StmOptions,
  type TransactionValue,
} from './transaction-options.js';
import { InvalidTransactionError } from './transaction.errors.js';
import type { Transaction } from './transaction.js';

/** What came of a compare-and-set. */
export type CompareAndSetResult =
  | {
      readonly succeeded: true;
      /** The revision of the write. */
      readonly revision: bigint;
    }
  | {
      readonly succeeded: false;
      /** The revision at which the key was not as expected. */
      readonly revision: bigint;
      /** What it was, null if it was not there. */
      readonly current: WatchedValue | null;
    };

/** What came of an update. */
export interface UpdateResult {
  /** Whether anything was written. */
  readonly changed: boolean;
  /** The revision of the write; null if nothing was written. */
  readonly revision: bigint | null;
  /** How often the function was called. */
  readonly attempts: number;
}

/** What an update makes of a key: a value, `null` to delete it, `undefined` to leave it as it is. */
export type NextValue = TransactionValue | null | undefined;

/** What stands under several keys, null for those that are not there. */
export type CurrentValues = ReadonlyMap<string, WatchedValue | null>;

/** What an update makes of several keys: those that are not named stay as they are. */
export type NextValues = ReadonlyMap<string, NextValue> | Readonly<Record<string, NextValue>>;

/** How an update runs. */
export interface UpdateOptions extends RetryOptions, PutOptions {}

/** The transactions that can be had with a fence and without. */
export abstract class GuardedTransactions {
  /** @internal */
  constructor(
    protected readonly ground: TransactionGround,
    protected readonly guard: FenceGuard,
  ) {}

  /**
   * Puts a key, or deletes it if `value` is null, if it stands as expected. In etcd: one
   * transaction. An answer that is lost is settled: `succeeded` is what became of it.
   *
   * @throws InvalidTransactionError, ReservedKeyError for what makes no sense; nothing was sent
   * @throws RequestTooLargeError for a value beyond what etcd takes, 1.5 MiB
   * @throws StaleFenceError if it is fenced and a fence no longer stands; nothing was written
   * @throws WriteOutcomeUnknownError if etcd did not answer for as long as a write may take
   */
  async compareAndSet(
    key: string,
    expected: Expectation,
    value: TransactionValue | null,
    options?: PutOptions,
  ): Promise<CompareAndSetResult> {
    const batch = this.batch().expect(key, expected);
    const write = value === null ? batch.delete(key) : batch.put(key, value, options);
    const result = await write.commit();
    const { succeeded, revision } = result;
    if (succeeded) return { succeeded, revision };
    return { succeeded, revision, current: result.unmet.get(key) ?? null };
  }

  /**
   * Changes a key, or several at once, to what `change` makes of what stands. It is called again
   * with the newest if another process came first, so it must have no other effects.
   *
   * @throws TransactionConflictError after `maxAttempts`, and others as {@link compareAndSet} does;
   *   what `change` throws, and nothing is written then; the signal's reason when that aborts
   */
  update(
    key: string,
    change: (current: WatchedValue | null) => NextValue | Promise<NextValue>,
    options?: UpdateOptions,
  ): Promise<UpdateResult>;
  update(
    keys: readonly string[],
    change: (current: CurrentValues) => NextValues | Promise<NextValues>,
    options?: UpdateOptions,
  ): Promise<UpdateResult>;
  async update(
    keys: string | readonly string[],
    change: (current: never) => unknown,
    options?: UpdateOptions,
  ): Promise<UpdateResult> {
    assertFunction(change, 'update');
    const put = options?.lease === undefined ? undefined : { lease: options.lease };
    const work = Array.isArray(keys)
      ? updateMany(keys as readonly string[], change as (c: CurrentValues) => unknown, put)
      : updateOne(keys as string, change as (c: WatchedValue | null) => unknown, put);
    const { value: changed, revision, attempts } = await this.run(work, options);
    return { changed, revision: changed ? revision : null, attempts };
  }

  /**
   * Runs `work` as a transaction: what it reads is as it was at one moment, and what it writes
   * goes through at one, both the same as far as the isolation says. If others came between, it
   * runs again, so it must have no effects but through the transaction that it is given. Resolves
   * with what it returns. One that only reads needs no commit, unless it is fenced.
   *
   * The algorithm is that of etcd's own `concurrency.STM`, with range reads, back-off and lost
   * answers settled.
   *
   * @throws TransactionTooLargeError if it compares or writes more than 128 keys, before it is sent
   * @throws TransactionConflictError after `maxAttempts`; nothing was written
   * @throws InvalidTransactionError, ReservedKeyError for what makes no sense
   * @throws StaleFenceError if it is fenced and a fence no longer stands; nothing was written
   * @throws WriteOutcomeUnknownError if etcd did not answer for as long as a write may take
   * @throws what `work` throws, and nothing is written then; the signal's reason when that aborts
   */
  async stm<T>(
    work: (transaction: Transaction) => T | Promise<T>,
    options?: StmOptions,
  ): Promise<Awaited<T>> {
    assertFunction(work, 'stm');
    return (await this.run(work, options)).value as Awaited<T>;
  }

  /** Begins writes that go through together, or not at all, on conditions. */
  batch(): TransactionBatch {
    return new TransactionBatch(this.ground, this.guard);
  }

  private async run<T>(
    work: (transaction: Transaction) => T | Promise<T>,
    options: unknown,
  ): Promise<StmResult<T>> {
    return runStm(this.ground, this.guard, work, readStmOptions(options));
  }
}

function updateOne(
  key: string,
  change: (current: WatchedValue | null) => unknown,
  put: PutOptions | undefined,
) {
  return async (transaction: Transaction): Promise<boolean> =>
    write(transaction, key, await change(await transaction.get(key)), put);
}

function updateMany(
  keys: readonly string[],
  change: (current: CurrentValues) => unknown,
  put: PutOptions | undefined,
) {
  return async (transaction: Transaction): Promise<boolean> => {
    const values = await Promise.all(keys.map((key) => transaction.get(key)));
    const next = await change(new Map(keys.map((key, index) => [key, values[index]!])));
    if (typeof next !== 'object' || next === null) {
      throw new InvalidTransactionError(
        `The function given to update() made ${shown(next)} of several keys; return an object or a Map of their values by key.`,
      );
    }
    let changed = false;
    for (const [key, value] of next instanceof Map ? next : Object.entries(next)) {
      if (!keys.includes(key as string)) {
        throw new InvalidTransactionError(
          `The function given to update() returned the key ${shown(key)}, which it was not given; name it in update() as well.`,
        );
      }
      changed = write(transaction, key as string, value, put) || changed;
    }
    return changed;
  };
}

/** Whether that is a change. */
function write(
  transaction: Transaction,
  key: string,
  next: unknown,
  put: PutOptions | undefined,
): boolean {
  if (next === undefined) return false;
  if (next === null) transaction.delete(key);
  else transaction.put(key, next as TransactionValue, put);
  return true;
}

function assertFunction(given: unknown, method: string): void {
  if (typeof given === 'function') return;
  throw new InvalidTransactionError(`${method}() was given ${shown(given)}; give it a function.`);
}
