import { EtcdCoordinationError } from '../client/coordination.error.js';
import { LONE_SURROGATE } from '../client/keys.js';

/** The longest name of a configuration, in bytes of UTF-8. */
export const MAX_CONFIG_NAME_BYTES = 512;

/** A configuration was given a name that it cannot have. Thrown where the name is given. */
export class InvalidConfigNameError extends EtcdCoordinationError {
  constructor(
    /** What was given as a name. */
    readonly key: unknown,
    fault: string,
  ) {
    super(
      'INVALID_CONFIG_NAME',
      `${describe(key)} cannot name a configuration: it ${fault}. ` +
        `Give a string of 1 to ${MAX_CONFIG_NAME_BYTES} bytes, such as "prices" or "billing/limits".`,
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
  const fault = configNameFault(name);
  if (fault !== null) throw new InvalidConfigNameError(name, fault);
}

function configNameFault(name: unknown): string | null {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.includes('\0')) return 'holds a NUL character';
  if (LONE_SURROGATE.test(name)) return 'holds half of a surrogate pair, which UTF-8 cannot say';
  if (name.split('/').includes('')) return 'starts or ends with "/", or holds "//"';
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_CONFIG_NAME_BYTES) return `has ${bytes} bytes`;
  return null;
}

function describe(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : `A value of type ${typeof value}`;
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return JSON.stringify(shown);
}
