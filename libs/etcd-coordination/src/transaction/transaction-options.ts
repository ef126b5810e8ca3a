import { InvalidTransactionError } from './transaction.errors.js';

/**
 * How far a transaction is kept apart from others, as etcd's own STM has it; each level takes in
 * those after it.
 *
 * - `serializable-snapshot`: everything is read as of one revision, nothing that was read has
 *   changed at the commit, and no key that is written was changed since that revision
 * - `serializable`: as before, but a key that is written without having been read may have changed
 * - `repeatable-reads`: each read is the newest, and none has changed at the commit
 * - `read-committed`: each key's first read is the newest, and may have changed at the commit
 */
export type TransactionIsolation =
  'serializable-snapshot' | 'serializable' | 'repeatable-reads' | 'read-committed';

/** What a transaction writes as a value: a string is UTF-8. */
export type TransactionValue = string | Uint8Array;

/** How often, and how long, a transaction is tried. */
export interface RetryOptions {
  /**
   * How often it is tried in all before a TransactionConflictError. The pauses between grow with
   * full jitter up to a quarter of a second. Default 50.
   */
  readonly maxAttempts?: number;
  /** Gives up between two attempts, rejecting with the signal's reason. A commit under way is finished. */
  readonly signal?: AbortSignal;
}

/** How {@link EtcdTransactions.stm} runs. */
export interface StmOptions extends RetryOptions {
  /** Default `serializable-snapshot`. */
  readonly isolation?: TransactionIsolation;
}

/** How a key is put. */
export interface PutOptions {
  /**
   * The lease that the key ends with: `'session'` for the one of this process, or a lease's id in
   * decimal. Left out, the key is on none, even if it was on one before.
   */
  readonly lease?: 'session' | (string & {});
}

const ISOLATIONS: readonly unknown[] = [
  'serializable-snapshot',
  'serializable',
  'repeatable-reads',
  'read-committed',
] satisfies TransactionIsolation[];

const NO_OPTIONS: Record<string, unknown> = Object.freeze({});
const DEFAULT_MAX_ATTEMPTS = 50;
const LARGEST_INT64 = 2n ** 63n - 1n;

/** Options as they are worked with. */
export interface ReadStmOptions {
  readonly isolation: TransactionIsolation;
  readonly maxAttempts: number;
  readonly signal: AbortSignal | undefined;
}

/** @throws InvalidTransactionError naming the option and the cure */
export function readStmOptions(given: unknown): ReadStmOptions {
  const options = readObject(given, () => 'a transaction', '{ isolation, maxAttempts, signal }');
  const { isolation = 'serializable-snapshot', maxAttempts = DEFAULT_MAX_ATTEMPTS } = options;
  const { signal } = options;
  if (!ISOLATIONS.includes(isolation)) {
    throw new InvalidTransactionError(
      `The option "isolation" of a transaction is ${shown(isolation)}; give one of ${ISOLATIONS.map((i) => `'${String(i)}'`).join(', ')}.`,
    );
  }
  if (!Number.isSafeInteger(maxAttempts) || (maxAttempts as number) < 1) {
    throw new InvalidTransactionError(
      `The option "maxAttempts" of a transaction is ${shown(maxAttempts)}; give a whole number from 1 on.`,
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidTransactionError(
      'The option "signal" of a transaction is not an AbortSignal; give that of an AbortController.',
    );
  }
  return {
    isolation: isolation as TransactionIsolation,
    maxAttempts: maxAttempts as number,
    signal,
  };
}

/** The lease of a put, null for none. @throws InvalidTransactionError */
export function readLease(key: string, given: unknown): string | null {
  const { lease } = readObject(given, () => `the put of ${JSON.stringify(key)}`, '{ lease }');
  if (lease === undefined) return null;
  if (lease === 'session') return lease;
  if (typeof lease === 'string' && /^[1-9][0-9]{0,18}$/.test(lease)) {
    if (BigInt(lease) <= LARGEST_INT64) return lease;
  }
  throw new InvalidTransactionError(
    `The option "lease" of the put of ${JSON.stringify(key)} is ${shown(lease)}; give 'session', or the id of a lease in decimal.`,
  );
}

/** What withdraws a call. @throws InvalidTransactionError */
export function readSignal(key: string, given: unknown): AbortSignal | undefined {
  const { signal } = readObject(given, () => `the call for ${JSON.stringify(key)}`, '{ signal }');
  if (signal === undefined || signal instanceof AbortSignal) return signal;
  throw new InvalidTransactionError(
    `The option "signal" of the call for ${JSON.stringify(key)} is not an AbortSignal; give that of an AbortController.`,
  );
}

/** The bytes of a value, the caller's no more. @throws InvalidTransactionError */
export function readValue(key: string, value: unknown): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw new InvalidTransactionError(
    `The value for ${JSON.stringify(key)} is ${shown(value)}; give a string or a Buffer, such as JSON.stringify(value).`,
  );
}

/** How many keys a range read gives at most, or undefined for all. @throws InvalidTransactionError */
export function readLimit(prefix: string, given: unknown): number | undefined {
  const { limit } = readObject(given, () => `the range ${JSON.stringify(prefix)}`, '{ limit }');
  if (limit === undefined) return undefined;
  if (Number.isSafeInteger(limit) && (limit as number) >= 1) return limit as number;
  throw new InvalidTransactionError(
    `The option "limit" of the range ${JSON.stringify(prefix)} is ${shown(limit)}; give a whole number from 1 on.`,
  );
}

/** A revision that etcd can compare with, in decimal. @throws InvalidTransactionError */
export function readRevision(key: string, revision: bigint): string {
  if (revision >= 0n && revision <= LARGEST_INT64) return revision.toString();
  throw new InvalidTransactionError(
    `The revision ${revision} that ${JSON.stringify(key)} is expected at is none; give that of a value that was read, or 0n for a key that is not there.`,
  );
}

/** A value in a message, short. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60));
  if (value === null || typeof value === 'number') return String(value);
  return value === undefined ? 'undefined' : `of type ${typeof value}`;
}

function readObject(given: unknown, what: () => string, shape: string): Record<string, unknown> {
  if (given === undefined) return NO_OPTIONS;
  if (typeof given === 'object' && given !== null) return given as Record<string, unknown>;
  throw new InvalidTransactionError(
    `The options of ${what()} are ${shown(given)}; give an object, ${shape}, or nothing.`,
  );
}
