import { MAX_OPERATIONS } from './committer.js';
import { shown } from './transaction-options.js';
import { InvalidWriteBatcherOptionsError } from './write-batcher.errors.js';

/** How writes and reads are gathered. */
export interface WriteBatcherOptions {
  /**
   * Milliseconds for which writes are gathered, from the first of them. 0, the default, is one turn
   * of the event loop: what comes while nothing is under way goes out as soon as the code that asked
   * for it has run, and what comes meanwhile is merged.
   */
  readonly windowMs?: number;
  /**
   * Operations of a transaction, from 2 to 128, the default and what etcd takes. One of them is the
   * mark by which a transaction is known again whose answer was lost; the others are writes.
   */
  readonly maxOperations?: number;
  /**
   * Bytes of the keys and values of a transaction, with what protobuf adds; at most 1.5 MiB, which
   * is what etcd takes. A larger write goes alone, and etcd says whether it takes it. Default 1 MiB.
   */
  readonly maxBytes?: number;
  /**
   * How many writes, and how many reads, may wait for etcd, those under way included. One more is
   * refused with a WriteBatcherFullError. Default 16384.
   */
  readonly maxPending?: number;
  /** The same in bytes of the writes. Default 64 MiB. */
  readonly maxPendingBytes?: number;
}

/** What options there are. */
export const WRITE_BATCHER_OPTIONS: readonly string[] = [
  'windowMs',
  'maxOperations',
  'maxBytes',
  'maxPending',
  'maxPendingBytes',
] satisfies (keyof WriteBatcherOptions)[];

const MIB = 2 ** 20;
/** etcd's default `--max-request-bytes`. */
export const MAX_REQUEST_BYTES = 1.5 * MIB;

/** @throws InvalidWriteBatcherOptionsError naming the option and the cure */
export function readWriteBatcherOptions(given: unknown = {}): Required<WriteBatcherOptions> {
  if (typeof given !== 'object' || given === null) {
    throw new InvalidWriteBatcherOptionsError('batcher', shown(given), 'an object, or nothing');
  }
  const options = given as Record<string, unknown>;
  for (const name of Object.keys(options)) {
    if (WRITE_BATCHER_OPTIONS.includes(name)) continue;
    const known = `none, or one of those that there are: ${WRITE_BATCHER_OPTIONS.join(', ')}`;
    throw new InvalidWriteBatcherOptionsError(name, 'not known', known);
  }
  const { windowMs = 0 } = options;
  if (typeof windowMs !== 'number' || !(windowMs >= 0 && windowMs <= 60_000)) {
    const cure = 'milliseconds from 0, one turn of the event loop, to 60000';
    throw new InvalidWriteBatcherOptionsError('windowMs', shown(windowMs), cure);
  }
  const whole = (name: string, otherwise: number, least: number, most: number): number => {
    const { [name]: value = otherwise } = options;
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) {
      return value as number;
    }
    const cure = `a whole number from ${least} to ${most}`;
    throw new InvalidWriteBatcherOptionsError(name, shown(value), cure);
  };
  return {
    windowMs,
    maxOperations: whole('maxOperations', MAX_OPERATIONS, 2, MAX_OPERATIONS),
    maxBytes: whole('maxBytes', MIB, 1, MAX_REQUEST_BYTES),
    maxPending: whole('maxPending', 16_384, 1, Number.MAX_SAFE_INTEGER),
    maxPendingBytes: whole('maxPendingBytes', 64 * MIB, 1, Number.MAX_SAFE_INTEGER),
  };
}
