import type { ICompare, IKeyValue } from 'etcd3';
import { WatchedValue } from '../watch/watched-value.js';
import { isAt } from './stm-attempt.js';
import { readRevision, shown } from './transaction-options.js';
import { InvalidTransactionError } from './transaction.errors.js';

/**
 * How a key is to stand for a write to go through:
 *
 * - a string or a Buffer: with just this value
 * - `null`: not at all
 * - a bigint: last changed at this revision; `0n` is not at all
 * - a WatchedValue: not changed since that was read or watched
 */
export type Expectation = string | Uint8Array | bigint | WatchedValue | null;

/** An expectation of one key, as etcd checks it and as it is checked here. */
export class KeyExpectation {
  private constructor(
    readonly name: string,
    readonly key: Buffer,
    readonly compare: ICompare,
    private readonly holds: (kv: IKeyValue | undefined) => boolean,
  ) {}

  /** @throws InvalidTransactionError for what is no expectation */
  static of(name: string, key: Buffer, expected: unknown): KeyExpectation {
    if (expected === null) return KeyExpectation.atRevision(name, key, '0');
    if (typeof expected === 'bigint') {
      return KeyExpectation.atRevision(name, key, readRevision(name, expected));
    }
    if (expected instanceof WatchedValue) {
      return KeyExpectation.atRevision(name, key, readRevision(name, expected.revision));
    }
    if (typeof expected === 'string' || expected instanceof Uint8Array) {
      const value = Buffer.from(expected as Uint8Array);
      return new KeyExpectation(
        name,
        key,
        // A key that is not there has no value, and fails this.
        { key, target: 'Value', result: 'Equal', value },
        (kv) => kv !== undefined && kv.value.equals(value),
      );
    }
    throw new InvalidTransactionError(
      `What ${JSON.stringify(name)} is expected to be is ${shown(expected)}; ` +
        'give its value as a string or a Buffer, its revision as a bigint, a WatchedValue, or null if it is not to be there.',
    );
  }

  isMetBy(kv: IKeyValue | undefined): boolean {
    return this.holds(kv);
  }

  private static atRevision(name: string, key: Buffer, revision: string): KeyExpectation {
    return new KeyExpectation(
      name,
      key,
      isAt(key, revision),
      (kv) => (kv?.mod_revision ?? '0') === revision,
    );
  }
}
