import { HttpStatusError } from '../client/http-status.error.js';

/**
 * A fence no longer stands, or a newer one of the same resource was seen; nothing was written.
 * Whoever held it has lost what it owned, and must stop. HTTP 409 through Nest's exception filter.
 */
export class StaleFenceError extends HttpStatusError {
  readonly statusCode = 409;

  constructor(
    readonly resource: string,
    /** The token that was refused. */
    readonly token: bigint,
    /** The newest one seen, if it is known. */
    readonly newest: bigint | null = null,
  ) {
    super(
      'STALE_FENCE',
      `The fence ${token} of "${resource}" was refused: ${
        newest === null ? 'it no longer stands' : `${newest} has been seen since`
      }, so somebody else owns "${resource}" or will. Stop this work; nothing was written under it.`,
    );
  }
}
