import type { CallTimeouts } from './client-options.js';
import { isLeaseNotFound, type GrpcFailure } from './grpc-failure.js';
import type { ServiceName } from './grpc-services.js';

/** What a call may cost in time, and whether it may be repeated. */
export interface CallPolicy {
  readonly timeout: keyof CallTimeouts;
  /** A call that leaves the same state behind however often it is applied. */
  readonly repeatable: boolean;
  /** Whether a refusal says that what the call asks for is so already. */
  readonly isDone?: (refusal: GrpcFailure) => boolean;
}

const READ: CallPolicy = { timeout: 'read', repeatable: true };
const WRITE: CallPolicy = { timeout: 'write', repeatable: false };
/** Repeatable only for a caller that chose the lease's id and so cannot take two; that one says so. */
const GRANT: CallPolicy = { timeout: 'registration', repeatable: false };
/** A lease that is gone is what was asked for, all the more when an answer was lost before. */
const REVOKE: CallPolicy = { timeout: 'write', repeatable: true, isDone: isLeaseNotFound };

const POLICIES: Partial<Record<ServiceName, Record<string, CallPolicy>>> = {
  KV: { range: READ },
  Lease: {
    leaseGrant: GRANT,
    leaseRevoke: REVOKE,
    leaseTimeToLive: READ,
    leaseLeases: READ,
  },
  Cluster: { memberList: READ },
  Maintenance: { status: READ, hash: READ, hashKV: READ },
  Auth: {
    authStatus: READ,
    authenticate: READ,
    userGet: READ,
    userList: READ,
    roleGet: READ,
    roleList: READ,
  },
};

/** The policy of a call by its service, method and request. */
export function callPolicy(service: ServiceName, method: string, request: unknown): CallPolicy {
  if (service === 'KV' && method === 'txn') return isReadOnly(request) ? READ : WRITE;
  return POLICIES[service]?.[method] ?? WRITE;
}

interface TxnShape {
  success?: readonly OperationShape[];
  failure?: readonly OperationShape[];
}

interface OperationShape {
  request_range?: unknown;
  request_txn?: TxnShape;
}

function isReadOnly(request: unknown): boolean {
  const { success = [], failure = [] } = request as TxnShape;
  return success.every(isRead) && failure.every(isRead);
}

function isRead({ request_range: range, request_txn: txn }: OperationShape): boolean {
  return range !== undefined || (txn !== undefined && isReadOnly(txn));
}
