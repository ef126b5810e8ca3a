import { type Compare, CompareResult, CompareTarget } from '../grpc/wire.js';
import { keyRange } from '../store/key-range.js';
import { ABSENT, type KeyValue } from '../store/key-value.js';
import { LATEST } from '../store/mvcc-store.js';
import type { RangeSource } from './range-query.js';

/** Whether every comparison holds; over a range, it must hold for every key in it. */
export function allHold(source: RangeSource, compares: readonly Compare[]): boolean {
  return compares.every((compare) => holds(source, compare));
}

function holds(source: RangeSource, compare: Compare): boolean {
  const { kvs } = source.read(keyRange(compare.key, compare.range_end), LATEST);
  if (kvs.length > 0) return kvs.every((kv) => matches(compare, kv));
  // No key has no value, which is not the same as an empty one.
  return compare.target !== CompareTarget.Value && matches(compare, ABSENT);
}

function matches(compare: Compare, kv: KeyValue): boolean {
  const difference = differenceOf(compare, kv);
  switch (compare.result) {
    case CompareResult.Equal:
      return difference === 0;
    case CompareResult.NotEqual:
      return difference !== 0;
    case CompareResult.Greater:
      return difference > 0;
    case CompareResult.Less:
      return difference < 0;
    default:
      return true;
  }
}

/** Operands of another target than the one named are not read: zero stands in for them. */
function differenceOf(compare: Compare, kv: KeyValue): number {
  switch (compare.target) {
    case CompareTarget.Version:
      return kv.version - Number(compare.version ?? 0);
    case CompareTarget.Create:
      return kv.createRevision - Number(compare.create_revision ?? 0);
    case CompareTarget.Mod:
      return kv.modRevision - Number(compare.mod_revision ?? 0);
    case CompareTarget.Value:
      return Buffer.compare(kv.value, compare.value ?? Buffer.alloc(0));
    case CompareTarget.Lease: {
      const difference = kv.lease - BigInt(compare.lease ?? 0);
      return difference === 0n ? 0 : difference < 0n ? -1 : 1;
    }
    default:
      return 0;
  }
}
