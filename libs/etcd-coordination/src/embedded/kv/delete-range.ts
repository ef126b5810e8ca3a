import type { DeleteRangeRequest, DeleteRangeResponse } from '../grpc/wire.js';
import { toWireKeyValue } from '../grpc/wire-key-value.js';
import { keyRange } from '../store/key-range.js';
import { LATEST } from '../store/mvcc-store.js';
import type { WriteTransaction } from '../store/write-transaction.js';

/** Carries out a deletion; one that finds nothing makes no revision. */
export function deleteRange(
  transaction: WriteTransaction,
  request: DeleteRangeRequest,
): DeleteRangeResponse {
  const range = keyRange(request.key, request.range_end);
  const previous = request.prev_kv ? transaction.read(range, LATEST).kvs : [];
  const deleted = transaction.deleteRange(range);
  return {
    header: { revision: transaction.revision },
    deleted,
    prev_kvs: previous.map((kv) => toWireKeyValue(kv)),
  };
}
