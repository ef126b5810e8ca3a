import { isPlainArray, isPlainObject, setOwn } from './plain-object.js';

/**
 * What documents say together, each over those before it: plain objects key by key, everything
 * else replaced whole, by `null` too. The result shares nothing with the documents, so that a
 * schema may change what it is given.
 */
export function mergeDocuments(values: readonly unknown[]): unknown {
  let merged: unknown;
  for (const value of values) merged = mergeOver(merged, value);
  return merged;
}

/** `below` is a copy already, and is written to. */
function mergeOver(below: unknown, above: unknown): unknown {
  if (!isPlainObject(above) || !isPlainObject(below)) return treeCopy(above);
  for (const [key, value] of Object.entries(above)) {
    setOwn(below, key, mergeOver(Object.hasOwn(below, key) ? below[key] : undefined, value));
  }
  return below;
}

/**
 * A copy that holds nothing twice, so that what is written to one place is not seen in another:
 * aliases of YAML are the same object in each place. The document's shape was checked with each
 * alias counted as often as it is named, so the copy is neither deeper nor larger than allowed.
 */
function treeCopy(value: unknown): unknown {
  if (isPlainArray(value)) return value.map(treeCopy);
  if (!isPlainObject(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const [key, held] of Object.entries(value)) setOwn(copy, key, treeCopy(held));
  return copy;
}
