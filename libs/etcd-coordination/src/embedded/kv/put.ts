import { EtcdStatus } from '../etcd-status.js';
import type { PutRequest, PutResponse } from '../grpc/wire.js';
import { toWireKeyValue } from '../grpc/wire-key-value.js';
import { type LeaseId, NO_LEASE, toKey } from '../store/key-value.js';
import { LATEST } from '../store/mvcc-store.js';
import type { WriteTransaction } from '../store/write-transaction.js';
import type { RangeSource } from './range-query.js';

/** Tells whether a lease stands. */
export interface KnownLeases {
  has(id: LeaseId): boolean;
}

/** @throws EtcdStatus if the put names a lease that does not stand. */
export function checkLease(request: PutRequest, leases: KnownLeases): void {
  const lease = BigInt(request.lease);
  if (lease !== NO_LEASE && !leases.has(lease)) throw EtcdStatus.leaseNotFound();
}

/** @throws EtcdStatus if the put keeps something of a key that does not stand. */
export function checkKept(request: PutRequest, source: RangeSource): void {
  if (!request.ignore_value && !request.ignore_lease) return;
  if (!standing(request, source)) throw EtcdStatus.keyNotFound();
}

/** Carries out a put that was checked. */
export function put(transaction: WriteTransaction, request: PutRequest): PutResponse {
  const previous = standing(request, transaction);
  const revision = transaction.put(
    toKey(request.key),
    request.ignore_value && previous ? previous.value : request.value,
    request.ignore_lease && previous ? previous.lease : BigInt(request.lease),
  );
  return {
    header: { revision },
    prev_kv: request.prev_kv && previous ? toWireKeyValue(previous) : null,
  };
}

function standing(request: PutRequest, source: RangeSource) {
  return source.read({ from: toKey(request.key), to: null }, LATEST).kvs[0];
}
