import { EtcdCoordinationError } from '../client/coordination.error.js';
import { LONE_SURROGATE } from '../client/keys.js';

/** The longest election name, in bytes of UTF-8. */
export const MAX_ELECTION_NAME_BYTES = 512;

/**
 * An election was given a name that it cannot have. Thrown where the name is given: for a
 * decorator, while its class is being defined.
 */
export class InvalidElectionNameError extends EtcdCoordinationError {
  constructor(
    /** What was given as a name. */
    readonly election: unknown,
    fault: string,
  ) {
    super(
      'INVALID_ELECTION_NAME',
      `${describe(election)} cannot name an election: it ${fault}. ` +
        `Give a string of 1 to ${MAX_ELECTION_NAME_BYTES} bytes, such as "reconciler" or "billing/invoices".`,
    );
  }
}

/**
 * Refuses what cannot name an election. `/` may part a name into segments, none of them
 * empty; it means nothing to the library: `a` and `a/b` are two unrelated elections.
 *
 * @throws {InvalidElectionNameError} naming what is wrong and what a name looks like
 */
export function assertElectionName(name: unknown): asserts name is string {
  const fault = electionNameFault(name);
  if (fault !== null) throw new InvalidElectionNameError(name, fault);
}

function electionNameFault(name: unknown): string | null {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.includes('\0')) return 'holds a NUL character';
  if (LONE_SURROGATE.test(name)) return 'holds half of a surrogate pair, which UTF-8 cannot say';
  if (name.split('/').includes('')) return 'starts or ends with "/", or holds "//"';
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_ELECTION_NAME_BYTES) return `has ${bytes} bytes`;
  return null;
}

function describe(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : `A value of type ${typeof value}`;
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return JSON.stringify(shown);
}
