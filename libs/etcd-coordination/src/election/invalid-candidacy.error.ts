import { EtcdCoordinationError } from '../client/coordination.error.js';

/** What a candidate says of itself may have this many bytes of UTF-8: all who follow the election keep it. */
export const MAX_CANDIDATE_VALUE_BYTES = 64 * 1024;

/** `join` or `campaign` was given an option that it cannot take. Nothing was changed. */
export class InvalidCandidacyError extends EtcdCoordinationError {
  constructor(
    readonly election: string,
    /** Which option. */
    readonly option: 'options' | 'value' | 'signal',
    fault: string,
  ) {
    super(
      'INVALID_CANDIDACY',
      `The candidacy in the election ${JSON.stringify(election)} cannot begin: ${fault}.`,
    );
  }
}

/**
 * Reads what `join` and `campaign` were given.
 *
 * @throws InvalidCandidacyError naming the option and the cure
 */
export function readCandidacyOptions(
  election: string,
  given: unknown,
): { readonly value: string | undefined; readonly signal: AbortSignal | undefined } {
  if (given !== undefined && (typeof given !== 'object' || given === null)) {
    throw new InvalidCandidacyError(
      election,
      'options',
      `its options are ${given === null ? 'null' : `a ${typeof given}`}; give an object, { value, signal }, or nothing`,
    );
  }
  const { value, signal } = (given ?? {}) as { value?: unknown; signal?: unknown };
  if (value !== undefined && typeof value !== 'string') {
    throw new InvalidCandidacyError(
      election,
      'value',
      `the option "value" is ${value === null ? 'null' : `a ${typeof value}`}; give a string, such as an address or JSON`,
    );
  }
  if (value !== undefined && Buffer.byteLength(value) > MAX_CANDIDATE_VALUE_BYTES) {
    throw new InvalidCandidacyError(
      election,
      'value',
      `the option "value" has ${Buffer.byteLength(value)} bytes; ${MAX_CANDIDATE_VALUE_BYTES} are the most`,
    );
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidCandidacyError(
      election,
      'signal',
      'the option "signal" is not an AbortSignal; give that of an AbortController',
    );
  }
  return { value, signal };
}
