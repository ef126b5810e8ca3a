import type { TrueEvent } from './evidence.js';

/** How the keys ended that grants stand by. */
export interface KeyEnds {
  /**
   * The revision at which a key was deleted, by what it was of and its create revision; null if it is still there,
   * undefined if there never was one.
   */
  of(of: string, createRevision: bigint): bigint | null | undefined;
}

/** Of all keys of what is owned, such as `lock/hot`: the key itself, or one below it. */
export function keyEnds(truth: readonly TrueEvent[]): KeyEnds {
  const ends = new Map<string, bigint | null>();
  const standing = new Map<string, string>();
  for (const { type, key, revision, createRevision } of truth) {
    if (type === 'put') {
      const id = `${ownedBy(key)} ${createRevision}`;
      standing.set(key, id);
      ends.set(id, null);
      continue;
    }
    const id = standing.get(key);
    if (id !== undefined) ends.set(id, revision);
    standing.delete(key);
  }
  return { of: (of, createRevision) => ends.get(`${of} ${createRevision}`) };
}

/** Keys are `<kind>/<name>`, and what stands below. */
function ownedBy(key: string): string {
  return key.split('/', 2).join('/');
}
