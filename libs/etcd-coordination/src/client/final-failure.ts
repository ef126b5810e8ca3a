import { EtcdCoordinationError } from './coordination.error.js';
import {
  ClientClosedError,
  EtcdAuthenticationError,
  EtcdPermissionDeniedError,
  EtcdRequestError,
  RequestTooLargeError,
} from './etcd.errors.js';

/** Whether asking again cannot help: etcd refuses it for good, the client is closed, or it is not etcd's error at all. */
export function isFinalFailure(error: unknown): boolean {
  return (
    error instanceof EtcdPermissionDeniedError ||
    error instanceof EtcdAuthenticationError ||
    error instanceof RequestTooLargeError ||
    error instanceof ClientClosedError ||
    (error instanceof EtcdRequestError && error.status === 'INVALID_ARGUMENT') ||
    !(error instanceof EtcdCoordinationError)
  );
}
