import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ConfigPlace } from './config.errors.js';

/** How long a schema may take, in milliseconds. */
export const SCHEMA_TIMEOUT_MS = 5000;

/**
 * What a schema makes of a value: at once if the schema answers at once, so that a change need not
 * wait for a turn of the event loop.
 *
 * @throws {ConfigInvalidError} or rejects with it, if the schema refuses the value, throws,
 *   rejects, answers with nonsense or does not answer in time
 */
export function validateConfig<T>(
  schema: StandardSchemaV1<unknown, T> | undefined,
  value: unknown,
  place: ConfigPlace | ((path: readonly (string | number)[]) => ConfigPlace),
  timeoutMs = SCHEMA_TIMEOUT_MS,
): T | Promise<T> {
  throw new Error(`TODO ${String(schema)} ${String(value)} ${String(place)} ${timeoutMs}`);
}
