import { HttpStatusError } from '../client/http-status.error.js';
import type { Leadership } from './leadership.js';

/**
 * A method that only the leader runs was called on an instance that does not lead.
 *
 * Nest's own exception filter answers it with HTTP 503 and its message, which names the
 * leader; nothing has run.
 */
export class NotLeaderError extends HttpStatusError {
  readonly statusCode = 503;

  constructor(
    readonly election: string,
    /** The instance that refused. */
    readonly instanceId: string,
    /** Who led, as far as this instance knew. */
    readonly leader: Leadership | null,
  ) {
    super('NOT_LEADER', describe(election, instanceId, leader));
  }

  /** What a caller in another process may be told. */
  toJSON(): NotLeaderPayload {
    const { code, message, election, instanceId, leader } = this;
    return {
      status: 'error',
      code,
      message,
      election,
      instanceId,
      // A bigint has no JSON.
      leader: leader && {
        leaderId: leader.leaderId,
        value: leader.value,
        epoch: leader.epoch.toString(),
      },
    };
  }
}

/** {@link NotLeaderError} as it goes over a wire, such as in the `RpcException` of a message handler. */
export interface NotLeaderPayload {
  readonly status: 'error';
  readonly code: string;
  readonly message: string;
  readonly election: string;
  readonly instanceId: string;
  readonly leader: {
    readonly leaderId: string;
    readonly value: string;
    readonly epoch: string;
  } | null;
}

function describe(election: string, instanceId: string, leader: Leadership | null): string {
  const refusal = `"${instanceId}" does not lead the election "${election}", and only its leader runs this`;
  // Between two terms the local view may still name the instance whose term has just ended.
  if (leader === null || leader.leaderId === instanceId) {
    return `${refusal}. No leader is known at the moment; try again shortly.`;
  }
  const at = leader.value === '' ? '' : ` (${leader.value})`;
  return `${refusal}. The leader is "${leader.leaderId}"${at}; ask there.`;
}
