import { inspect } from 'node:util';
import { EtcdCoordinationError } from '../client/coordination.error.js';

/**
 * An option has a value that it cannot have. Nothing has connected when this is thrown:
 * by `forRoot` itself, or while the application starts for `forRootAsync`.
 */
export class InvalidOptionError extends EtcdCoordinationError {
  constructor(
    /** The option's path, such as `session.ttlSeconds` or `endpoints[1]`. */
    readonly option: string,
    /** What was given. Never a secret: those are left out. */
    readonly value: unknown,
    /** What is wrong and what to write instead, as a sentence's end after "the option is …". */
    problem: string,
    options?: { cause?: unknown },
  ) {
    super('INVALID_OPTION', `The option "${option}" of EtcdCoordinationModule ${problem}`, options);
  }
}

/** Shows a value in an error, short enough for a line. */
export function shown(value: unknown): string {
  const text = inspect(value, {
    depth: 1,
    breakLength: Infinity,
    maxStringLength: 80,
    maxArrayLength: 5,
  });
  return text.length > 120 ? `${text.slice(0, 120)}…` : text;
}
