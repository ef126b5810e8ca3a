import type { IKeyValue } from 'etcd3';
import type { HeldKey, Keeping } from './held-key.js';
import type { RangeList } from './range-list.js';

/** One key's change, as a view tells it. */
export interface RangeChange<K extends HeldKey = HeldKey> {
  readonly type: 'put' | 'delete';
  /** The whole key. */
  readonly key: string;
  /** The key's new state; of a deleted one the key and the revision of the deletion alone. */
  readonly kv: IKeyValue;
  /** What the view held before. */
  readonly previous: K | undefined;
}

/** Changes that came together: whole revisions, in their order. */
export interface RangeChanges<K extends HeldKey = HeldKey> {
  readonly changes: readonly RangeChange<K>[];
  /** They were worked out from a fresh list, since the events themselves could not be told. */
  readonly resync: boolean;
  /**
   * They were made after the watch stood and before the first list was read, so the state that
   * the view began with holds them. What was before each is not known.
   */
  readonly listed: boolean;
}

/**
 * What led from the state that is held to the one that was listed, as far as that can be
 * known: puts in the order of their own revisions, and deletes, whose revisions nobody
 * knows, at the list's.
 */
export function difference<K extends HeldKey>(
  held: ReadonlyMap<string, K>,
  { kvs, revision }: Pick<RangeList, 'kvs' | 'revision'>,
  keeping: Keeping<K>,
  sameHistory: boolean,
): RangeChange<K>[] {
  const puts: RangeChange<K>[] = [];
  const listed = new Set<string>();
  for (const kv of kvs) {
    const key = kv.key.toString();
    listed.add(key);
    const previous = held.get(key);
    if (previous && keeping.isSame(previous, kv, sameHistory)) continue;
    puts.push({ type: 'put', key, kv, previous });
  }
  puts.sort((a, b) => compareRevisions(a.kv.mod_revision, b.kv.mod_revision));
  const deletes: RangeChange<K>[] = [];
  for (const [key, previous] of held) {
    if (listed.has(key)) continue;
    deletes.push({ type: 'delete', key, kv: tombstone(key, revision), previous });
  }
  return [...puts, ...deletes];
}

/** Decimals without leading zeros: the longer one is larger. */
export function compareRevisions(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

function tombstone(key: string, revision: bigint): IKeyValue {
  return {
    key: Buffer.from(key),
    value: Buffer.alloc(0),
    mod_revision: revision.toString(),
    create_revision: '0',
    version: '0',
    lease: '0',
  };
}
