import type { HeaderFactory } from '../grpc/header.js';
import { bytesOf } from '../grpc/proto.js';
import { unary } from '../grpc/unary.js';
import type {
  CompactionRequest,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  TxnRequest,
} from '../grpc/wire.js';
import type { MvccStore } from '../store/mvcc-store.js';
import { deleteRange } from './delete-range.js';
import { checkDuplicateKeys } from './duplicate-keys.js';
import { withPlainEnd, withPlainEnds } from './explicit-ends.js';
import { type KnownLeases, checkKept, checkLease, put } from './put.js';
import { rangeQuery } from './range-query.js';
import { checkKey, checkPut, checkSize, checkTxn } from './request-checks.js';
import { isReadOnly, runTxn } from './txn.js';

/** The calls of etcd's KV service. */
export function kvService(store: MvccStore, leases: KnownLeases, header: HeaderFactory) {
  const withHeader = <T extends { header: { revision: number } }>(response: T) => ({
    ...response,
    header: header(response.header.revision),
  });

  return {
    Range: unary((request: RangeRequest) => {
      checkKey(request);
      return withHeader(rangeQuery(store, withPlainEnd(request, bytesOf(request))));
    }),

    Put: unary((request: PutRequest) => {
      checkPut(request);
      checkSize(bytesOf(request).length);
      checkLease(request, leases);
      checkKept(request, store);
      return withHeader(store.write((transaction) => put(transaction, request)));
    }),

    DeleteRange: unary((request: DeleteRangeRequest) => {
      checkKey(request);
      checkSize(bytesOf(request).length);
      return withHeader(store.write((transaction) => deleteRange(transaction, request)));
    }),

    Txn: unary((request: TxnRequest) => {
      checkTxn(request);
      checkDuplicateKeys(request);
      if (isReadOnly(request)) {
        return withHeader(runTxn(store, leases, withPlainEnds(request, bytesOf(request))));
      }
      checkSize(bytesOf(request).length);
      return withHeader(runTxn(store, leases, request));
    }),

    Compact: unary((request: CompactionRequest) => {
      store.compact(Number(request.revision));
      return { header: header(store.revision) };
    }),
  };
}
