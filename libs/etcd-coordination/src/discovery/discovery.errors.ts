import { HttpStatusError } from '../client/http-status.error.js';
import { EtcdCoordinationError } from '../client/coordination.error.js';

/**
 * No instance of a service can take a call now. HTTP 503 if nobody handles it. Why one of them is not up, if it
 * says so, is the `cause`: for the log, and not for whoever called.
 */
export class NoInstanceError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    readonly service: string,
    /** What there is instead, in words that follow "can take a call:". */
    detail: string,
    cause?: unknown,
  ) {
    super('NO_INSTANCE', `No instance of the service "${service}" can take a call: ${detail}.`, {
      cause,
    });
  }
}

/** What was asked of the discovery cannot be. Nothing was called. */
export class InvalidDiscoveryOptionError extends EtcdCoordinationError {
  constructor(
    readonly option: string,
    detail: string,
  ) {
    super('INVALID_DISCOVERY_OPTION', detail);
  }
}
