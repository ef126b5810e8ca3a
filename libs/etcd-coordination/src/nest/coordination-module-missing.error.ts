import { EtcdCoordinationError } from '../client/coordination.error.js';
import { importAdvice } from './connection-symbols.js';

/**
 * A decorated method was called on an object that has no gate, because Nest did not build it.
 * Nothing has run.
 */
export class CoordinationModuleMissingError extends EtcdCoordinationError {
  constructor(
    decorator: string,
    method: string,
    connection: string,
    /** What nobody can do without the gate, such as "tell whether it leads". */
    lack: string,
  ) {
    super(
      'COORDINATION_MODULE_MISSING',
      `${method}() is gated by @${decorator}, but was called on an object that Nest did not build, so nobody can ${lack}. ` +
        `Get the object from Nest as a provider or a controller instead of calling "new", do not detach the method from it, and import ${importAdvice(connection)}.`,
    );
  }
}
