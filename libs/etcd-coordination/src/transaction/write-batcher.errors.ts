import { EtcdCoordinationError } from '../client/coordination.error.js';
import { HttpStatusError } from '../client/http-status.error.js';

/** An option of a write batcher makes no sense. */
export class InvalidWriteBatcherOptionsError extends EtcdCoordinationError {
  constructor(option: string, given: string, cure: string) {
    super(
      'INVALID_WRITE_BATCHER_OPTIONS',
      `The option "${option}" of the write batcher is ${given}; give ${cure}.`,
    );
  }
}

/**
 * More waits to be written, or read, than the write batcher holds; this call was not accepted, and
 * nothing was sent. HTTP 503 through Nest's exception filter.
 */
export class WriteBatcherFullError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    /** The key that was not accepted, relative to the namespace. */
    readonly key: string,
    held: string,
    option: string,
  ) {
    super(
      'WRITE_BATCHER_FULL',
      `${JSON.stringify(key)} was not accepted, for ${held} wait for etcd already; nothing was sent. ` +
        `Await what was asked for before asking for more, or raise the option "${option}".`,
    );
  }
}

/** The write batcher is closed, or was before it could send this; nothing was sent. */
export class WriteBatcherClosedError extends EtcdCoordinationError {
  constructor(
    /** The key, relative to the namespace. */
    readonly key: string,
  ) {
    super(
      'WRITE_BATCHER_CLOSED',
      `${JSON.stringify(key)} was not sent, for the write batcher is closed; the application is shutting down. ` +
        'Nothing was written.',
    );
  }
}
