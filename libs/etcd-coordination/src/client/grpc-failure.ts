import { status, type ServiceError } from '@grpc/grpc-js';
import type { EtcdCoordinationError } from './coordination.error.js';
import {
  EtcdAuthenticationError,
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
  EtcdTimeoutError,
  EtcdUnavailableError,
  LeaseExistsError,
  LeaseNotFoundError,
  RequestTooLargeError,
  RevisionCompactedError,
  statusName,
} from './etcd.errors.js';

/** What is known of a failed call, for deciding what to do about it. */
export interface GrpcFailure {
  readonly code: number;
  readonly details: string;
  readonly error: unknown;
}

/** Reads a failure out of what grpc-js rejects with. */
export function grpcFailure(error: unknown): GrpcFailure {
  const { code, details, message } = error as Partial<ServiceError>;
  return {
    code: typeof code === 'number' ? code : status.UNKNOWN,
    details: details ?? message ?? String(error),
    error,
  };
}

/** etcd has not applied the call, whatever it was: repeating it is safe. */
export function isNotApplied({ code, details }: GrpcFailure): boolean {
  if (code === status.UNAVAILABLE) {
    return /No connection established|Name resolution failed|Channel closed before|Channel has been shut down|etcdserver: no leader/.test(
      details,
    );
  }
  // It waited for a connection until its deadline.
  if (code === status.DEADLINE_EXCEEDED) return details.includes('Waiting for LB pick');
  if (code === status.UNKNOWN) return details.includes('Channel has been shut down');
  return code === status.RESOURCE_EXHAUSTED && details.includes('etcdserver: too many requests');
}

/** Another try, perhaps at another member, may well go through. */
export function isTransient(failure: GrpcFailure): boolean {
  switch (failure.code) {
    case status.UNAVAILABLE:
    case status.DEADLINE_EXCEEDED:
    case status.CANCELLED:
    case status.ABORTED:
      return true;
    // A connection that is cut in the middle of an answer surfaces as INTERNAL or UNKNOWN.
    case status.INTERNAL:
    case status.UNKNOWN:
      return !failure.details.includes('etcdserver:');
    default:
      return isNotApplied(failure);
  }
}

/** The endpoint, not the call, is to blame. */
export function blamesEndpoint({ code, details }: GrpcFailure): boolean {
  if (code === status.DEADLINE_EXCEEDED || code === status.INTERNAL) return true;
  return code === status.UNAVAILABLE && !details.includes('etcdserver: leader changed');
}

/** The token is no longer good; a new one will be. */
export function isStaleToken({ details }: GrpcFailure): boolean {
  return /etcdserver: (invalid auth token|revision of auth store is old)/.test(details);
}

/** The lease expired or was revoked. */
export function isLeaseNotFound({ details }: GrpcFailure): boolean {
  return details.includes('requested lease not found');
}

/** Makes a failure one of our errors. `what` is the call in words, as the subject of a sentence. */
export function toCoordinationError(
  failure: GrpcFailure,
  what: string,
  context: { timeoutMs: number; username?: string | undefined },
): EtcdCoordinationError {
  const { code, details, error } = failure;
  if (details.includes('mvcc: database space exceeded') || details.includes('NOSPACE')) {
    return new EtcdNoSpaceError(what, error);
  }
  if (isLeaseNotFound(failure)) return new LeaseNotFoundError(what, error);
  if (details.includes('lease already exists')) return new LeaseExistsError(what, error);
  if (details.includes('has been compacted')) {
    return new RevisionCompactedError(what, error);
  }
  if (/request is too large|message larger than max|larger than max \(/.test(details)) {
    return new RequestTooLargeError(what, error);
  }
  if (details.includes('permission denied')) {
    return new EtcdPermissionDeniedError(what, context.username, error);
  }
  if (/authentication failed|user name is empty|invalid auth token/.test(details)) {
    return new EtcdAuthenticationError(context.username, details, error);
  }
  switch (code) {
    case status.UNAVAILABLE:
    case status.CANCELLED:
      return new EtcdUnavailableError(what, details, error);
    case status.DEADLINE_EXCEEDED:
      return new EtcdTimeoutError(what, context.timeoutMs, error);
    default:
      return new EtcdRequestError(what, statusName(code), details, error);
  }
}
