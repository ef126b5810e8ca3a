import { EtcdCoordinationError } from '../client/coordination.error.js';

/** A campaign or a join ended before it came to anything. */
export class CandidacyEndedError extends EtcdCoordinationError {
  constructor(
    readonly election: string,
    why: string,
    cause?: unknown,
  ) {
    super(
      'CANDIDACY_ENDED',
      `The candidacy in the election ${JSON.stringify(election)} ended before it came to anything: ${why}.`,
      { cause },
    );
  }
}
