import { MAX_NAME_BYTES, nameFault, shownName } from '../client/name-fault.js';
import { InvalidDiscoveryOptionError } from './discovery.errors.js';

/**
 * Refuses what cannot name a service.
 *
 * @throws {InvalidDiscoveryOptionError} naming what is wrong and what a name looks like
 */
export function assertServiceName(name: unknown): asserts name is string {
  const fault = nameFault(name);
  if (fault === null) return;
  throw new InvalidDiscoveryOptionError(
    'service',
    `${shownName(name)} cannot name a service: it ${fault}. Give a string of 1 to ${MAX_NAME_BYTES} bytes, such as "inventory".`,
  );
}
