import type { RequestOp, TxnRequest, WatchRequest } from '../grpc/wire.js';
import type { ServiceName } from '../grpc/proto.js';

/**
 * What a request asks of etcd. A transaction that may write is a `write`, another one a `read`; an
 * empty one is a `probe`, by which this library asks whether a member is alive.
 */
export type CallKind =
  | 'read'
  | 'write'
  | 'probe'
  | 'compact'
  | 'lease-grant'
  | 'lease-revoke'
  | 'lease-info'
  | 'keepalive'
  | 'watch'
  | 'other';

/** Every kind there is. */
export const CALL_KINDS: readonly CallKind[] = [
  'read',
  'write',
  'probe',
  'compact',
  'lease-grant',
  'lease-revoke',
  'lease-info',
  'keepalive',
  'watch',
  'other',
];

const BY_METHOD: Readonly<Record<string, CallKind>> = {
  'KV.Range': 'read',
  'KV.Put': 'write',
  'KV.DeleteRange': 'write',
  'KV.Compact': 'compact',
  'Lease.LeaseGrant': 'lease-grant',
  'Lease.LeaseRevoke': 'lease-revoke',
  'Lease.LeaseTimeToLive': 'lease-info',
  'Lease.LeaseLeases': 'lease-info',
  'Lease.LeaseKeepAlive': 'keepalive',
};

export function callKind(service: ServiceName, method: string, request: unknown): CallKind {
  if (service === 'KV' && method === 'Txn') return txnKind(request as TxnRequest);
  if (service === 'Watch') return (request as WatchRequest).create_request ? 'watch' : 'other';
  return BY_METHOD[`${service}.${method}`] ?? 'other';
}

function txnKind({ compare, success, failure }: TxnRequest): CallKind {
  if (compare.length + success.length + failure.length === 0) return 'probe';
  return [...success, ...failure].some(writes) ? 'write' : 'read';
}

function writes({ request_put, request_delete_range, request_txn }: RequestOp): boolean {
  if (request_put || request_delete_range) return true;
  return request_txn ? txnKind(request_txn) === 'write' : false;
}
