import { InvalidDiscoveryOptionError } from '../discovery.errors.js';
import { CALL_OPTION_NAMES } from './read-call-options.js';

/** What other libraries call what calls have an option for, in small letters. */
const NAMES_ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ['timeout', 'timeoutMs'],
  ['timeoutmillis', 'timeoutMs'],
  ['timeoutmilliseconds', 'timeoutMs'],
  ['readytimeout', 'readyTimeoutMs'],
  ['attempt', 'attempts'],
  ['maxattempts', 'attempts'],
  ['retry', 'attempts'],
  ['retries', 'attempts'],
  ['maxretries', 'attempts'],
  ['isidempotent', 'idempotent'],
  ['idempotency', 'idempotent'],
]);

const OWN_NAMES = new Map(CALL_OPTION_NAMES.map((name) => [name.toLowerCase(), name]));

/**
 * Refuses what looks like a slip of an option of calls, among what `fetch` would pass over: a timeout that is
 * none would be missed on the day when an instance hangs.
 *
 * @throws {InvalidDiscoveryOptionError} naming the first one, and what was probably meant
 */
export function refuseSlips(names: readonly string[]): void {
  for (const name of names) {
    const meant = NAMES_ELSEWHERE.get(name.toLowerCase()) ?? OWN_NAMES.get(name.toLowerCase());
    if (meant === undefined) continue;
    throw new InvalidDiscoveryOptionError(
      name,
      `The option "${name}" of "fetch" is not known: did you mean "${meant}"?`,
    );
  }
}
