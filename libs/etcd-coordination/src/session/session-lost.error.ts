import { EtcdCoordinationError } from '../client/coordination.error.js';

/** Why a lease is no longer this process's. */
export type LeaseEndReason = 'expired' | 'gone' | 'closed';

const WORDS: Record<LeaseEndReason, string> = {
  expired:
    'no keepalive was answered before its deadline; etcd was unreachable, or this process was blocked or frozen',
  gone: 'etcd says that it was revoked or has expired',
  closed: 'the session was closed',
};

/** The reason of a lease's aborted signal: everything that stood on the lease is lost. */
export class SessionLostError extends EtcdCoordinationError {
  constructor(
    readonly leaseId: string,
    readonly reason: LeaseEndReason,
  ) {
    super(
      'SESSION_LOST',
      `The lease ${BigInt(leaseId).toString(16)} of this process is lost: ${WORDS[reason]}.`,
    );
  }
}
