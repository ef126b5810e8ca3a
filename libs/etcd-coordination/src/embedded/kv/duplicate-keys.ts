import { EtcdStatus } from '../etcd-status.js';
import type { RequestOp, TxnRequest } from '../grpc/wire.js';
import { type Key, toKey } from '../store/key-value.js';

/** From a key up to another; the end `''` lies after every key. */
type Interval = readonly [from: Key, to: Key];

interface Touched {
  readonly puts: Set<Key>;
  readonly deletes: Interval[];
}

/**
 * Refuses a transaction that might write one key twice. It does so exactly as
 * etcd does, blind spots included: a nested deletion is held against the puts
 * that come after it and those of its parents, not those nested before it.
 *
 * @throws EtcdStatus "duplicate key given in txn request"
 */
export function checkDuplicateKeys(request: TxnRequest): void {
  collect(request.success);
  collect(request.failure);
}

function collect(operations: readonly RequestOp[]): Touched {
  const puts = new Set<Key>();
  const deletes: Interval[] = [];
  const add = (key: Key) => {
    if (deletes.some((interval) => covers(interval, key))) throw EtcdStatus.duplicateKey();
    puts.add(key);
  };

  for (const { request_delete_range: request } of operations) {
    if (!request) continue;
    const key = toKey(request.key);
    // As etcd does, an end of `\0` is taken by its bytes here: it covers nothing.
    deletes.push([key, request.range_end.length > 0 ? toKey(request.range_end) : key + '\0']);
  }
  for (const { request_txn: nested } of operations) {
    if (!nested) continue;
    const onSuccess = collect(nested.success);
    const onFailure = collect(nested.failure);
    for (const key of onSuccess.puts) {
      if (puts.has(key)) throw EtcdStatus.duplicateKey();
      add(key);
    }
    for (const key of onFailure.puts) {
      // Only one of the two branches will run.
      if (puts.has(key) && !onSuccess.puts.has(key)) throw EtcdStatus.duplicateKey();
      add(key);
    }
    deletes.push(...onSuccess.deletes, ...onFailure.deletes);
  }
  for (const { request_put: request } of operations) {
    if (!request) continue;
    const key = toKey(request.key);
    if (puts.has(key)) throw EtcdStatus.duplicateKey();
    add(key);
  }
  return { puts, deletes };
}

function covers([from, to]: Interval, key: Key): boolean {
  return key >= from && (to === '' || key < to);
}
