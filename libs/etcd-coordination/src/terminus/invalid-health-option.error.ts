import { EtcdCoordinationError } from '../client/coordination.error.js';
import { shown } from '../module/invalid-option.error.js';

/** A health check was given an option that it cannot take. Nothing was checked. */
export class InvalidHealthOptionError extends EtcdCoordinationError {
  constructor(
    /** The health check's key. */
    readonly check: string,
    /** The option's name, such as `staleAfterMs`. */
    readonly option: string,
    value: unknown,
    cure: string,
  ) {
    super(
      'INVALID_HEALTH_OPTION',
      `The option "${option}" of the health check "${check}" is ${shown(value)}: ${cure}`,
    );
  }
}
