import { plainCopy } from './deep-freeze.js';
import { isPlainObject, setOwn } from './plain-object.js';

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
  if (!isPlainObject(above) || !isPlainObject(below)) return plainCopy(above);
  for (const [key, value] of Object.entries(above)) {
    setOwn(below, key, mergeOver(Object.hasOwn(below, key) ? below[key] : undefined, value));
  }
  return below;
}
