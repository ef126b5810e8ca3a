import { isDeepStrictEqual } from 'node:util';
import { isPlainObject } from './plain-object.js';

/** One place in which a value differs from the one before it. */
export interface ConfigDifference {
  /** The keys and indexes that lead to it; empty for the value itself. */
  readonly path: readonly (string | number)[];
  readonly type: 'added' | 'removed' | 'changed';
  /** Absent if it was added. */
  readonly before?: unknown;
  /** Absent if it was removed. */
  readonly after?: unknown;
}

type Path = readonly (string | number)[];

/**
 * What leads from one value to the next, applied in this order; nothing if they are equal. Plain
 * objects are compared by key and arrays by index; everything else is one thing, equal or not.
 */
export function differences(before: unknown, after: unknown): readonly ConfigDifference[] {
  const found: ConfigDifference[] = [];
  compare(before, after, [], new Set(), found);
  return found;
}

/** `within`: the objects on the way here, for a value that holds itself. */
function compare(
  before: unknown,
  after: unknown,
  path: Path,
  within: Set<unknown>,
  found: ConfigDifference[],
): void {
  if (Object.is(before, after)) return;
  const arrays = Array.isArray(before) && Array.isArray(after);
  const objects = isPlainObject(before) && isPlainObject(after);
  if ((!arrays && !objects) || within.has(after)) {
    if (!isDeepStrictEqual(before, after)) found.push({ path, type: 'changed', before, after });
    return;
  }
  within.add(after);
  if (arrays) compareArrays(before, after, path, within, found);
  else compareObjects(before as object, after as object, path, within, found);
  within.delete(after);
}

function compareArrays(
  before: readonly unknown[],
  after: readonly unknown[],
  path: Path,
  within: Set<unknown>,
  found: ConfigDifference[],
): void {
  const common = Math.min(before.length, after.length);
  for (let i = 0; i < common; i++) compare(before[i], after[i], [...path, i], within, found);
  for (let i = common; i < after.length; i++) {
    found.push({ path: [...path, i], type: 'added', after: after[i] });
  }
  // From the end, so that each index is right when its turn comes.
  for (let i = before.length - 1; i >= common; i--) {
    found.push({ path: [...path, i], type: 'removed', before: before[i] });
  }
}

function compareObjects(
  before: object,
  after: object,
  path: Path,
  within: Set<unknown>,
  found: ConfigDifference[],
): void {
  const [old, next] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  for (const [key, value] of old) {
    const there = [...path, key];
    if (next.has(key)) compare(value, next.get(key), there, within, found);
    else found.push({ path: there, type: 'removed', before: value });
  }
  for (const [key, value] of next) {
    if (!old.has(key)) found.push({ path: [...path, key], type: 'added', after: value });
  }
}
