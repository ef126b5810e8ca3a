import { EtcdStatus } from '../etcd-status.js';
import type {
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
} from '../grpc/wire.js';

/** Operations in a transaction, on each side and in all its levels together. */
const MAX_OPERATIONS = 128;

/** etcd's `--max-request-bytes`. */
const MAX_REQUEST_BYTES = 1.5 * 1024 * 1024;

/** What etcd wraps around a request before it measures it: its raft header and two field tags. */
const RAFT_OVERHEAD_BYTES = 19;

export function checkKey(request: RangeRequest | DeleteRangeRequest): void {
  if (request.key.length === 0) throw EtcdStatus.keyNotProvided();
}

export function checkPut(request: PutRequest): void {
  if (request.key.length === 0) throw EtcdStatus.keyNotProvided();
  if (request.ignore_value && request.value.length > 0) throw EtcdStatus.valueProvided();
  if (request.ignore_lease && request.lease !== '0') throw EtcdStatus.leaseProvided();
}

export function checkSize(bytes: number): void {
  if (bytes + RAFT_OVERHEAD_BYTES > MAX_REQUEST_BYTES) throw EtcdStatus.requestTooLarge();
}

export function checkTxn(request: TxnRequest, allowed = MAX_OPERATIONS): void {
  const { compare, success, failure } = request;
  const operations = Math.max(compare.length, success.length, failure.length);
  if (operations > allowed) throw EtcdStatus.tooManyOperations();
  if (compare.some(({ key }) => key.length === 0)) throw EtcdStatus.keyNotProvided();
  for (const operation of [...success, ...failure]) checkOperation(operation, allowed - operations);
}

function checkOperation(operation: RequestOp, allowed: number): void {
  switch (operation.request) {
    case 'request_range':
      return checkKey(operation.request_range!);
    case 'request_put':
      return checkPut(operation.request_put!);
    case 'request_delete_range':
      return checkKey(operation.request_delete_range!);
    case 'request_txn':
      return checkTxn(operation.request_txn!, allowed);
    default:
      // What etcd says to an operation that is none.
      throw EtcdStatus.keyNotFound();
  }
}
