import type { StandardSchemaV1 } from '@standard-schema/spec';
import { systemClock, type MonotonicClock } from '../client/clock.js';
import { ConfigInvalidError, type ConfigIssue, type ConfigPlace } from './config.errors.js';
import { MAX_VALUE_DEPTH, deepFreeze, frozenCopy } from './deep-freeze.js';

/** How long a schema may take, in milliseconds. */
export const SCHEMA_TIMEOUT_MS = 5000;

/** Where the value comes from that stands at a path of the merged one. */
export type PlaceOf = (path: readonly (string | number)[]) => ConfigPlace;

/**
 * What a schema makes of a value, deeply frozen: at once if the schema answers at once, so that a
 * change need not wait for a turn of the event loop. Its plain objects and arrays are copies: some
 * may be constants of the schema, which the application goes on using.
 *
 * @throws {ConfigInvalidError} or rejects with it, if the schema refuses the value, throws,
 *   rejects, answers with nonsense or does not answer in time
 */
export function validateConfig<T>(
  schema: StandardSchemaV1<unknown, T> | undefined,
  value: unknown,
  placeOf: PlaceOf,
  timeoutMs = SCHEMA_TIMEOUT_MS,
  clock: MonotonicClock = systemClock,
): T | Promise<T> {
  if (!schema) return deepFreeze(value as T);
  let result: StandardSchemaV1.Result<T> | PromiseLike<StandardSchemaV1.Result<T>>;
  try {
    result = schema['~standard'].validate(value);
  } catch (error) {
    throw threw(error, placeOf);
  }
  if (!isThenable(result)) return accept(result, placeOf);
  return inTime(clock, result, placeOf, timeoutMs).then((late) => accept(late, placeOf));
}

function accept<T>(result: StandardSchemaV1.Result<T>, placeOf: PlaceOf): T {
  const given = result as Partial<StandardSchemaV1.FailureResult> | null | undefined;
  const answered = typeof given === 'object' && (!given?.issues || Array.isArray(given.issues));
  if (!given || !answered) {
    throw new ConfigInvalidError(
      placeOf([]),
      'its schema answered with neither a value nor issues, as no Standard Schema does',
    );
  }
  if (!result.issues) return hold(result.value, placeOf);
  const issues = result.issues.map(readIssue);
  throw ConfigInvalidError.ofIssues(placeOf(issues[0]?.path ?? []), issues);
}

/** A getter among what it made may throw. */
function hold<T>(value: T, placeOf: PlaceOf): T {
  try {
    return frozenCopy(value);
  } catch (error) {
    const fault = `what its schema made of it cannot be read, or is nested deeper than ${MAX_VALUE_DEPTH} levels; see the cause`;
    throw new ConfigInvalidError(placeOf([]), fault, [], error);
  }
}

function readIssue({ message, path }: StandardSchemaV1.Issue): ConfigIssue {
  const keys = (path ?? []).map((part) => (typeof part === 'object' ? part.key : part));
  return {
    message,
    path: keys.map((key) => (typeof key === 'number' ? key : String(key))),
  };
}

async function inTime<T>(
  clock: MonotonicClock,
  result: PromiseLike<T>,
  placeOf: PlaceOf,
  timeoutMs: number,
): Promise<T> {
  let cancelTimer: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancelTimer = clock.setTimer(() => {
      const fault = `its schema has not answered within ${timeoutMs} ms`;
      reject(new ConfigInvalidError(placeOf([]), fault));
    }, timeoutMs);
  });
  try {
    return await Promise.race([result, late]);
  } catch (error) {
    throw error instanceof ConfigInvalidError ? error : threw(error, placeOf);
  } finally {
    cancelTimer();
  }
}

/** What it threw may quote the value, which may be secret: it is the cause, and not in the message. */
function threw(error: unknown, placeOf: PlaceOf): ConfigInvalidError {
  const kind = error instanceof Error ? error.name : `a ${typeof error}`;
  return new ConfigInvalidError(
    placeOf([]),
    `its schema threw ${kind} instead of answering; the error's cause says where`,
    [],
    error,
  );
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';
}
