import { EtcdCoordinationError } from '../client/coordination.error.js';
import { MAX_NAME_BYTES, nameFault, shownName } from '../client/name-fault.js';

/** A configuration was given a name that it cannot have. Thrown where the name is given. */
export class InvalidConfigNameError extends EtcdCoordinationError {
  constructor(
    /** What was given as a name. */
    readonly key: unknown,
    fault: string,
  ) {
    super(
      'INVALID_CONFIG_NAME',
      `${shownName(key)} cannot name a configuration: it ${fault}. ` +
        `Give a string of 1 to ${MAX_NAME_BYTES} bytes, such as "prices" or "billing/limits".`,
    );
  }
}

/**
 * Refuses what cannot name a configuration. `/` may part a name into segments, none of them
 * empty; it means nothing to the library: `a` and `a/b` are two unrelated configurations.
 *
 * @throws {InvalidConfigNameError} naming what is wrong and what a name looks like
 */
export function assertConfigName(name: unknown): asserts name is string {
  const fault = nameFault(name);
  if (fault !== null) throw new InvalidConfigNameError(name, fault);
}
