import { status } from '@grpc/grpc-js';
// The tag by which etcd3's own classes know that a call is worth another try; it
// is not in their index, and the package has no `exports` map.
import { RecoverableError } from 'etcd3/lib/errors.js';
import { EtcdCoordinationError } from './coordination.error.js';

/** No endpoint could take the call: nothing listens, the connection broke, or the cluster has no leader. */
export class EtcdUnavailableError extends EtcdCoordinationError {
  readonly [RecoverableError] = true;

  constructor(what: string, detail: string, cause?: unknown) {
    super(
      'ETCD_UNAVAILABLE',
      `${what} could not be answered by etcd (${detail}); check that a majority of its members is up and reachable.`,
      { cause },
    );
  }
}

/** No answer came within the deadline of the call's class. */
export class EtcdTimeoutError extends EtcdCoordinationError {
  readonly [RecoverableError] = true;

  constructor(what: string, timeoutMs: number, cause?: unknown) {
    super(
      'ETCD_TIMEOUT',
      `${what} was not answered within ${Math.round(timeoutMs)} ms; etcd is overloaded, frozen or cut off. The deadline is set by the option "timeouts".`,
      { cause },
    );
  }
}

/**
 * A write was sent and its answer was lost, so it may or may not have been
 * applied. It was not sent again. Read back what it wrote to know.
 */
export class WriteOutcomeUnknownError extends EtcdCoordinationError {
  constructor(what: string, detail: string, cause?: unknown) {
    super(
      'WRITE_OUTCOME_UNKNOWN',
      `The answer to ${what} was lost (${detail}), so it may or may not have been applied; it was not sent again. Read the key back before writing it anew.`,
      { cause },
    );
  }
}

/** The user name or the password is wrong. */
export class EtcdAuthenticationError extends EtcdCoordinationError {
  constructor(username: string | undefined, detail: string, cause?: unknown) {
    super(
      'ETCD_AUTHENTICATION_FAILED',
      username === undefined
        ? `etcd asks for a user (${detail}); set the option "auth".`
        : `etcd refused the user "${username}" (${detail}); check the option "auth".`,
      { cause },
    );
  }
}

/** The user may not touch that key. */
export class EtcdPermissionDeniedError extends EtcdCoordinationError {
  constructor(what: string, username: string | undefined, cause?: unknown) {
    super(
      'ETCD_PERMISSION_DENIED',
      `${what} was refused: the etcd user ${username === undefined ? '(none)' : `"${username}"`} has no permission for it; grant its role the key range.`,
      { cause },
    );
  }
}

/** The lease expired or was revoked. */
export class LeaseNotFoundError extends EtcdCoordinationError {
  constructor(what: string, cause?: unknown) {
    super('LEASE_NOT_FOUND', `${what} named a lease that expired or was revoked; take a new one.`, {
      cause,
    });
  }
}

/** A lease with that id is there already. */
export class LeaseExistsError extends EtcdCoordinationError {
  constructor(what: string, cause?: unknown) {
    super('LEASE_EXISTS', `${what} named a lease id that is taken; choose another one.`, { cause });
  }
}

/** The revision asked for is compacted away. */
export class RevisionCompactedError extends EtcdCoordinationError {
  constructor(what: string, cause?: unknown) {
    super(
      'REVISION_COMPACTED',
      `${what} asked for a revision that etcd has compacted; list the keys anew and go on from there.`,
      { cause },
    );
  }
}

/** The request is larger than etcd takes (1.5 MiB by default). */
export class RequestTooLargeError extends EtcdCoordinationError {
  constructor(what: string, cause?: unknown) {
    super(
      'REQUEST_TOO_LARGE',
      `${what} is larger than etcd takes; its default limit is 1.5 MiB a request (--max-request-bytes).`,
      { cause },
    );
  }
}

/**
 * The database of etcd is full. Reads, deletes and keepalives still work.
 *
 * From etcd alone it is no proof that nothing was written: what is under way at the moment at which the
 * quota is used up is applied, and answered like this all the same (measured on 3.4 and 3.5). It is final,
 * though: what was not applied then never will be. So this library reads what stands before it says
 * so; of a write by the raw client nobody does.
 */
export class EtcdNoSpaceError extends EtcdCoordinationError {
  constructor(what: string, cause?: unknown) {
    super(
      'ETCD_NO_SPACE',
      `${what} was refused because etcd's database has reached its quota; compact, defragment and disarm the NOSPACE alarm.`,
      { cause },
    );
  }
}

/** Any other refusal of etcd. */
export class EtcdRequestError extends EtcdCoordinationError {
  constructor(
    what: string,
    /** The gRPC status by name, such as `INVALID_ARGUMENT`. */
    readonly status: string,
    detail: string,
    cause?: unknown,
  ) {
    super('ETCD_REQUEST_FAILED', `${what} was refused by etcd: ${detail} (${status}).`, { cause });
  }
}

/** The connection was closed by this process. */
export class ClientClosedError extends EtcdCoordinationError {
  constructor(connection: string) {
    super(
      'CLIENT_CLOSED',
      `The etcd connection "${connection}" is closed; the application is shutting down or was never started.`,
    );
  }
}

/** The name of a gRPC status code. */
export function statusName(code: number | undefined): string {
  return (code === undefined ? undefined : status[code]) ?? 'UNKNOWN';
}
