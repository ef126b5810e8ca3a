/**
 * What documents say together, each over those before it: plain objects key by key, everything
 * else replaced whole, by `null` too. The result shares nothing with the documents, so that a
 * schema may change what it is given.
 */
export function mergeDocuments(values: readonly unknown[]): unknown {
  throw new Error(`TODO ${values.length}`);
}
