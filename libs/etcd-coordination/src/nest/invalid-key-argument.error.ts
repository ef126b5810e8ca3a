import { EtcdCoordinationError } from '../client/coordination.error.js';

/**
 * A call has an argument of which no key can be built: what was to be locked or checked is not
 * known. Nothing has run.
 */
export class InvalidKeyArgumentError extends EtcdCoordinationError {
  constructor(
    /** The template as it was written, or `(args) => key` for a function. */
    readonly template: string,
    /** The name or the path of the argument in it; empty for a function. */
    readonly argument: string,
    /** The method, such as `Orders.place`. */
    readonly method: string,
    fault: string,
  ) {
    const culprit =
      argument === '' ? 'what its function returned' : `the argument "${argument}" of the call`;
    super(
      'INVALID_KEY_ARGUMENT',
      `The key "${template}" of ${method}() cannot be built: ${culprit} ${fault}. ` +
        `Give ${argument === '' ? 'a string that is not empty' : 'a string that is not empty, a finite number, a bigint or a boolean'}.`,
    );
  }
}
