import type { SetConfigOptions } from './config-publisher.js';
import { assertConfigName } from './config-name.js';
import { InvalidConfigWriteError } from './config.errors.js';

/** The longest name of an author, and the longest reason, in bytes. */
const MAX_AUTHOR_BYTES = 512;
const MAX_REASON_BYTES = 4096;
const FORMATS: readonly unknown[] = ['json', 'yaml', 'text'];

/**
 * Refuses what a write cannot be told.
 *
 * @throws {InvalidConfigNameError} if the name is none
 * @throws {InvalidConfigWriteError} naming the option and what it should be
 */
export function assertWrite(key: string, options: SetConfigOptions): void {
  assertConfigName(key);
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new InvalidConfigWriteError(key, 'was given options that are no object');
  }
  const { author, reason, expectedRevision, format } = options;
  assertText(key, 'author', author, MAX_AUTHOR_BYTES);
  assertText(key, 'reason', reason, MAX_REASON_BYTES);
  if (author === '') throw new InvalidConfigWriteError(key, 'was given an empty author');
  if (format !== undefined && !FORMATS.includes(format)) {
    throw new InvalidConfigWriteError(
      key,
      `was given ${JSON.stringify(format)} as "format"; give "json", "yaml" or "text"`,
    );
  }
  if (
    expectedRevision !== undefined &&
    (typeof expectedRevision !== 'bigint' || expectedRevision < 0n)
  ) {
    throw new InvalidConfigWriteError(
      key,
      `was given ${String(expectedRevision)} (${typeof expectedRevision}) as "expectedRevision"; give a bigint such as 120n, or 0n for what must not exist`,
    );
  }
}

/** Refuses what is no whole number from 1. */
export function assertCount(key: string, name: string, count: number): void {
  if (Number.isSafeInteger(count) && count > 0) return;
  throw new InvalidConfigWriteError(
    key,
    `was given ${String(count)} as "${name}"; give a whole number from 1`,
  );
}

function assertText(key: string, name: string, text: unknown, most: number): void {
  if (text === undefined) return;
  if (typeof text !== 'string') {
    throw new InvalidConfigWriteError(key, `was given a "${name}" that is no string`);
  }
  const bytes = Buffer.byteLength(text);
  if (bytes > most) {
    throw new InvalidConfigWriteError(
      key,
      `was given a "${name}" of ${bytes} bytes; ${most} are the most`,
    );
  }
}
