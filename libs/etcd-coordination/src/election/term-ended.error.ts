import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { TermEndReason } from './leader-term.js';

const WORDS: Record<TermEndReason, string> = {
  resigned: 'it was resigned',
  left: 'this process left the election',
  'session-lost': "this process's session is no longer certain",
  'key-deleted': 'its key was deleted in etcd by someone else',
  refused: 'etcd no longer shows this process the election',
  shutdown: 'the application is shutting down',
};

/** The reason of an ended term's signal. */
export class TermEndedError extends EtcdCoordinationError {
  constructor(
    readonly election: string,
    readonly epoch: bigint,
    readonly reason: TermEndReason,
  ) {
    super(
      'TERM_ENDED',
      `The term ${epoch} of the election ${JSON.stringify(election)} ended: ${WORDS[reason]}.`,
    );
  }
}
