import { EtcdCoordinationError } from '../client/coordination.error.js';

/** A decorator of this library stands where it cannot work. Thrown while the class is defined. */
export class InvalidDecoratorUseError extends EtcdCoordinationError {
  constructor(decorator: string, place: string, fault: string, standsOn = 'methods') {
    super(
      'INVALID_DECORATOR_USE',
      `@${decorator} on ${place} cannot work: ${fault}. It stands on ${standsOn} of classes that Nest builds.`,
    );
  }
}
