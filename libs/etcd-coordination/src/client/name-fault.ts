import { LONE_SURROGATE } from './keys.js';

/** The longest name of anything that has one, in bytes of UTF-8. */
export const MAX_NAME_BYTES = 512;

/**
 * What is wrong with the name of an election, a lock or a configuration, in words that follow
 * "it", or null if nothing is. `/` may part a name into segments, none of them empty; it means
 * nothing to the library: `a` and `a/b` are two unrelated names.
 */
export function nameFault(name: unknown): string | null {
  if (typeof name !== 'string') return 'is not a string';
  if (name === '') return 'is empty';
  if (name.includes('\0')) return 'holds a NUL character';
  if (LONE_SURROGATE.test(name)) return 'holds half of a surrogate pair, which UTF-8 cannot say';
  if (name.split('/').includes('')) return 'starts or ends with "/", or holds "//"';
  const bytes = Buffer.byteLength(name);
  if (bytes > MAX_NAME_BYTES) return `has ${bytes} bytes`;
  return null;
}

/** What was given as a name, short enough for a message. */
export function shownName(value: unknown): string {
  if (typeof value !== 'string') return value === null ? 'null' : `A value of type ${typeof value}`;
  const shown = value.length > 60 ? `${value.slice(0, 60)}…` : value;
  return JSON.stringify(shown);
}
