import { inspect } from 'node:util';
import { readStrategy } from '../choose/read-choose-options.js';
import { InvalidDiscoveryOptionError } from '../discovery.errors.js';
import type { ChooseOptions } from '../service-pool.js';
import {
  DEFAULT_ATTEMPTS,
  DEFAULT_READY_TIMEOUT_MS,
  MAX_ATTEMPTS,
  type CallOptions,
} from './call-options.js';

/** The longest time that a timer of Node's can have, in milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Options of a call with every default filled in. */
export interface ResolvedCallOptions {
  /** What the pool is asked with. */
  readonly choose: ChooseOptions;
  readonly attempts: number;
  readonly timeoutMs: number | null;
  readonly readyTimeoutMs: number;
  readonly signal: AbortSignal | null;
  readonly idempotent: boolean;
  readonly isFailure: ((error: unknown) => boolean) | null;
}

/** What is said of a call, and not of the choice. */
const CALL_OPTIONS = [
  'attempts',
  'timeoutMs',
  'readyTimeoutMs',
  'signal',
  'idempotent',
  'isFailure',
] as const satisfies readonly (keyof CallOptions)[];

const CHOOSE_OPTIONS = [
  'strategy',
  'zone',
  'hashKey',
  'exclude',
] as const satisfies readonly (keyof ChooseOptions)[];

/** Every option that a call can have. */
export const CALL_OPTION_NAMES: readonly string[] = [...CALL_OPTIONS, ...CHOOSE_OPTIONS];

/**
 * Fills in what was left out.
 *
 * @throws {InvalidDiscoveryOptionError} naming the first option that cannot be, its value and the cure
 */
export function readCallOptions(options: CallOptions = {}): ResolvedCallOptions {
  if (typeof options !== 'object' || options === null) {
    throw wrong('options', options, `give an object with some of ${CALL_OPTION_NAMES.join(', ')}`);
  }
  const unknown = Object.keys(options).find((name) => !CALL_OPTION_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new InvalidDiscoveryOptionError(
      unknown,
      `The option "${unknown}" of a call is not known. The options here are: ${CALL_OPTION_NAMES.join(', ')}.`,
    );
  }
  const { strategy, zone, hashKey, exclude } = options;
  const choose = { strategy, zone, hashKey, exclude };
  readStrategy(choose);
  const { attempts, timeoutMs, readyTimeoutMs, signal, idempotent, isFailure } = options;
  if (attempts !== undefined && !isWhole(attempts, MAX_ATTEMPTS)) {
    throw wrong('attempts', attempts, `give a whole number from 1 to ${MAX_ATTEMPTS}`);
  }
  assertMilliseconds('timeoutMs', timeoutMs);
  assertMilliseconds('readyTimeoutMs', readyTimeoutMs);
  if (signal !== undefined && !((signal as unknown) instanceof AbortSignal)) {
    throw wrong('signal', signal, 'give an AbortSignal');
  }
  if (idempotent !== undefined && typeof idempotent !== 'boolean') {
    throw wrong('idempotent', idempotent, 'give true or false');
  }
  if (isFailure !== undefined && typeof isFailure !== 'function') {
    throw wrong('isFailure', isFailure, 'give a function of the error');
  }
  return {
    choose,
    attempts: attempts ?? DEFAULT_ATTEMPTS,
    timeoutMs: timeoutMs ?? null,
    readyTimeoutMs: readyTimeoutMs ?? DEFAULT_READY_TIMEOUT_MS,
    signal: signal ?? null,
    idempotent: idempotent ?? false,
    isFailure: isFailure ?? null,
  };
}

function assertMilliseconds(option: string, value: unknown): void {
  if (value === undefined || isWhole(value, MAX_TIMER_MS)) return;
  throw wrong(option, value, `give a whole number of milliseconds from 1 to ${MAX_TIMER_MS}`);
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function wrong(option: string, value: unknown, cure: string): InvalidDiscoveryOptionError {
  const shown = inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 });
  return new InvalidDiscoveryOptionError(option, `The option "${option}" is ${shown}: ${cure}.`);
}
