import { EtcdStatus } from '../etcd-status.js';
import type { RangeRequest, RequestOp, ResponseOp, TxnRequest, TxnResponse } from '../grpc/wire.js';
import type { MvccStore } from '../store/mvcc-store.js';
import type { WriteTransaction } from '../store/write-transaction.js';
import { allHold } from './compare.js';
import { deleteRange } from './delete-range.js';
import { type KnownLeases, checkKept, checkLease, put } from './put.js';
import { rangeQuery } from './range-query.js';

/** A transaction whose comparisons are settled: what will run, at every level. */
interface Plan {
  readonly succeeded: boolean;
  readonly operations: readonly RequestOp[];
  /** The plans of the nested transactions among the operations. */
  readonly nested: ReadonlyMap<RequestOp, Plan>;
}

/**
 * Runs a transaction. As in etcd, every comparison at every level sees the
 * store as it was before, and so does every check; then nothing can fail.
 */
export function runTxn(store: MvccStore, leases: KnownLeases, request: TxnRequest): TxnResponse {
  const plan = planOf(store, request);
  const operations = [...allOperations(plan)];
  for (const { request_put: request } of operations) {
    if (!request) continue;
    checkKept(request, store);
    checkLease(request, leases);
  }
  for (const { request_range: request } of operations) {
    if (request) checkRevision(request, store);
  }
  return store.write((transaction) => {
    const response = carryOut(transaction, plan);
    return { ...response, header: { revision: transaction.revision } };
  });
}

/** Whether the request only reads; a nested transaction counts as a write, whatever it does. */
export function isReadOnly({ success, failure }: TxnRequest): boolean {
  return [...success, ...failure].every(({ request }) => request === 'request_range');
}

function planOf(store: MvccStore, request: TxnRequest): Plan {
  const succeeded = allHold(store, request.compare);
  const operations = succeeded ? request.success : request.failure;
  const nested = new Map<RequestOp, Plan>();
  for (const operation of operations) {
    if (operation.request_txn) nested.set(operation, planOf(store, operation.request_txn));
  }
  return { succeeded, operations, nested };
}

function* allOperations(plan: Plan): Generator<RequestOp> {
  for (const operation of plan.operations) {
    const nested = plan.nested.get(operation);
    if (nested) yield* allOperations(nested);
    else yield operation;
  }
}

/** In a transaction a revision is held against the store as it is, even if it is negative. */
function checkRevision(request: RangeRequest, store: MvccStore): void {
  const revision = Number(request.revision);
  if (revision === 0) return;
  if (revision > store.revision) throw EtcdStatus.futureRevision();
  if (revision < store.compactRevision) throw EtcdStatus.compacted();
}

/** A nested answer's header says nothing in etcd; only the outermost is filled in. */
function carryOut(transaction: WriteTransaction, plan: Plan): TxnResponse {
  const responses = plan.operations.map((operation): ResponseOp => {
    if (operation.request_range) {
      return { response_range: rangeQuery(transaction, operation.request_range) };
    }
    if (operation.request_put) return { response_put: put(transaction, operation.request_put) };
    if (operation.request_delete_range) {
      return { response_delete_range: deleteRange(transaction, operation.request_delete_range) };
    }
    return { response_txn: carryOut(transaction, plan.nested.get(operation)!) };
  });
  return { header: { revision: 0 }, succeeded: plan.succeeded, responses };
}
