import { type RangeRequest, type RangeResponse, SortOrder, SortTarget } from '../grpc/wire.js';
import { toWireKeyValue } from '../grpc/wire-key-value.js';
import { type KeyRange, keyRange } from '../store/key-range.js';
import type { KeyValue } from '../store/key-value.js';
import type { ReadOptions, ReadResult } from '../store/mvcc-store.js';

/** What a range is read from: the store, or a transaction that has not ended. */
export interface RangeSource {
  read(range: KeyRange, options: ReadOptions): ReadResult;
}

type Order = (a: KeyValue, b: KeyValue) => number;

const ORDERS: Record<SortTarget, Order> = {
  [SortTarget.Key]: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  [SortTarget.Version]: (a, b) => a.version - b.version,
  [SortTarget.Create]: (a, b) => a.createRevision - b.createRevision,
  [SortTarget.Mod]: (a, b) => a.modRevision - b.modRevision,
  [SortTarget.Value]: (a, b) => Buffer.compare(a.value, b.value),
};

/** Answers a range request: reads, filters, sorts and cuts, in this order as etcd does. */
export function rangeQuery(source: RangeSource, request: RangeRequest): RangeResponse {
  const limit = Number(request.limit);
  const filters = filtersOf(request);
  const needsAll = request.sort_order !== SortOrder.None || filters.length > 0;
  const read = source.read(keyRange(request.key, request.range_end), {
    revision: Number(request.revision),
    // One more than asked for tells whether there are more.
    limit: needsAll || limit <= 0 ? 0 : limit + 1,
    countOnly: request.count_only,
  });

  let kvs = read.kvs.filter((kv) => filters.every((passes) => passes(kv)));
  const order = orderOf(request);
  if (order) kvs.sort(order);
  const more = limit > 0 && kvs.length > limit;
  if (more) kvs = kvs.slice(0, limit);

  return {
    header: { revision: read.revision },
    kvs: kvs.map((kv) => toWireKeyValue(kv, request.keys_only)),
    more,
    count: read.count,
  };
}

function filtersOf(request: RangeRequest): ((kv: KeyValue) => boolean)[] {
  const filters: ((kv: KeyValue) => boolean)[] = [];
  const maxMod = Number(request.max_mod_revision);
  const minMod = Number(request.min_mod_revision);
  const maxCreate = Number(request.max_create_revision);
  const minCreate = Number(request.min_create_revision);
  if (maxMod !== 0) filters.push((kv) => kv.modRevision <= maxMod);
  if (minMod !== 0) filters.push((kv) => kv.modRevision >= minMod);
  if (maxCreate !== 0) filters.push((kv) => kv.createRevision <= maxCreate);
  if (minCreate !== 0) filters.push((kv) => kv.createRevision >= minCreate);
  return filters;
}

/** The order asked for, or undefined for the order in which keys are stored. */
function orderOf({ sort_order, sort_target }: RangeRequest): Order | undefined {
  const ascending = ORDERS[sort_target];
  if (sort_order === SortOrder.Descend) return (a, b) => ascending(b, a);
  // A target without an order means ascending; by key, that is how they come.
  return sort_target === SortTarget.Key ? undefined : ascending;
}
