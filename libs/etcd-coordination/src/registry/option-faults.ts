import { inspect } from 'node:util';
import type { JsonObject } from './json-record.js';
import { InvalidRegistrationError } from './registry.errors.js';

/** An id, a zone or a version, in bytes of UTF-8. */
export const MAX_TEXT_BYTES = 1024;

/** Whose options these are, unless it is said otherwise. */
const REGISTRATION = 'a registration';

/** The error that an option, `of` whatever takes it, has a value that it cannot have. */
export function wrong(
  option: string,
  value: unknown,
  cure: string,
  of = REGISTRATION,
): InvalidRegistrationError {
  const state = value === undefined ? 'is missing' : `is ${shown(value)}`;
  return new InvalidRegistrationError(option, `The option "${option}" of ${of} ${state}: ${cure}.`);
}

/** @throws {InvalidRegistrationError} for an option that nobody reads: a slip, most likely */
export function refuseUnknown(
  path: string,
  given: JsonObject,
  known: readonly string[],
  of = REGISTRATION,
): void {
  const unknown = Object.keys(given).find(
    (name) => !known.includes(name) && given[name] !== undefined,
  );
  if (unknown === undefined) return;
  throw new InvalidRegistrationError(
    `${path}${unknown}`,
    `The option "${path}${unknown}" of ${of} is not known. The options here are: ${known.join(', ')}.`,
  );
}

/** A text that is said to the whole fleet, or null if it was left out. */
export function optionalText(
  option: string,
  value: unknown,
  most = MAX_TEXT_BYTES,
  of = REGISTRATION,
): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && value !== '' && Buffer.byteLength(value) <= most) return value;
  throw wrong(option, value, `give a string of 1 to ${most} bytes, or leave it out`, of);
}

/** Shows a value in an error, short enough for a line. */
function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
