import { EtcdCoordinationError } from '../client/coordination.error.js';
import { MAX_NAME_BYTES, nameFault, shownName } from '../client/name-fault.js';

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
      `${shownName(election)} cannot name an election: it ${fault}. ` +
        `Give a string of 1 to ${MAX_NAME_BYTES} bytes, such as "reconciler" or "billing/invoices".`,
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
  const fault = nameFault(name);
  if (fault !== null) throw new InvalidElectionNameError(name, fault);
}
