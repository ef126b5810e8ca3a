import type { EtcdClient } from '../client/etcd-client.js';
import {
  EtcdNoSpaceError,
  EtcdPermissionDeniedError,
  EtcdTimeoutError,
  EtcdUnavailableError,
  LeaseNotFoundError,
  RequestTooLargeError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { grpcFailure } from '../client/grpc-failure.js';
import { isOfOnePart } from '../client/txn-merger.js';
import { outcomeUnknown } from './commit-mark.js';
import { NoSessionLeaseError } from './transaction.errors.js';

/** Nothing was written, for a reason that one write may have and the others not. */
export function isOfOneWrite(error: unknown): boolean {
  return isOfOnePart(error) || error instanceof NoSessionLeaseError;
}

/** etcd did not answer in time, or could not be reached. */
export function isUnanswered(error: unknown): boolean {
  return (
    error instanceof WriteOutcomeUnknownError ||
    error instanceof EtcdTimeoutError ||
    error instanceof EtcdUnavailableError
  );
}

/** The error of a call, as that of one write or read in it: it names the key. */
export function failureOf(
  kind: 'read' | 'write',
  name: string,
  error: unknown,
  { options }: EtcdClient,
): unknown {
  const what = `the ${kind} of ${JSON.stringify(name)}`;
  const subject = `The ${kind} of ${JSON.stringify(name)}`;
  if (error instanceof WriteOutcomeUnknownError) return outcomeUnknown(what, error);
  if (error instanceof EtcdNoSpaceError) return new EtcdNoSpaceError(subject, error);
  if (error instanceof LeaseNotFoundError) return new LeaseNotFoundError(subject, error);
  if (error instanceof RequestTooLargeError) return new RequestTooLargeError(subject, error);
  if (error instanceof EtcdPermissionDeniedError) {
    return new EtcdPermissionDeniedError(subject, options.auth?.username, error);
  }
  if (error instanceof EtcdTimeoutError) {
    return new EtcdTimeoutError(subject, options.timeouts[kind], error);
  }
  if (error instanceof EtcdUnavailableError) {
    return new EtcdUnavailableError(subject, grpcFailure(error.cause ?? error).details, error);
  }
  return error;
}
