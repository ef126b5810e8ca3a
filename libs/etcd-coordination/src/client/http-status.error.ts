import { EtcdCoordinationError } from './coordination.error.js';

/**
 * An error that Nest's own exception filter answers with its HTTP status and its message: it bears the
 * signature of the http-errors kind, by which also a message of the 5xx kind may reach the client.
 */
export abstract class HttpStatusError extends EtcdCoordinationError {
  abstract readonly statusCode: number;
  readonly expose = true;

  get status(): number {
    return this.statusCode;
  }
}
