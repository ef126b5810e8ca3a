import { isUtf8 } from 'node:buffer';
import type { IKeyValue } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { RevisionCompactedError } from '../client/etcd.errors.js';
import type { KeyRange } from './key-range.js';
import { KeyReads } from './key-reads.js';
import { Turnstile } from './turnstile.js';

/**
 * How many keys the first answer holds at most; more are asked for page by page, all at one
 * revision. Values are of any size: so few come first, and then as many as fill a page.
 */
const FIRST_PAGE = { keys: 5000, values: 16 };
const LARGEST_PAGE = 5000;
const PAGE_BYTES = 2 * 1024 * 1024;

/** How often a list is begun anew because its revision was compacted away between two pages. */
const ATTEMPTS = 5;

/** More at a time would only wait for each other, and run out of their time. */
const AT_ONCE = 32;

export interface ListOptions {
  /** Leaves the values out. */
  readonly keysOnly?: boolean;
  /** The state as of this revision; the present one if left out. */
  readonly revision?: bigint;
  /** How many keys each page holds; for tests. */
  readonly pageSize?: number;
}

/** What a range holds at one revision. */
export interface RangeList {
  readonly revision: bigint;
  /** Which cluster said so; null if it did not say. */
  readonly clusterId: string | null;
  /** In key order. Only keys that are UTF-8. */
  readonly kvs: readonly IKeyValue[];
  /** How many keys were left out because they are not UTF-8. */
  readonly unreadable: number;
}

const turnstiles = new WeakMap<EtcdClient, Turnstile>();
const keyReads = new WeakMap<EtcdClient, KeyReads>();

/**
 * Lists a range, linearizably and at one revision however many pages it takes.
 *
 * @throws RevisionCompactedError if the revision asked for is compacted
 */
export function listRange(
  client: EtcdClient,
  range: KeyRange,
  options: ListOptions = {},
): Promise<RangeList> {
  if (!range.rangeEnd && options.revision === undefined) return readKey(client, range, options);
  let turnstile = turnstiles.get(client);
  if (!turnstile) turnstiles.set(client, (turnstile = new Turnstile(AT_ONCE)));
  return turnstile.pass(() => listAnew(client, range, options));
}

async function readKey(
  client: EtcdClient,
  { key }: KeyRange,
  { keysOnly = false }: ListOptions,
): Promise<RangeList> {
  let reads = keyReads.get(client);
  if (!reads) keyReads.set(client, (reads = new KeyReads(client)));
  const { header, kvs } = await reads.read(key, keysOnly);
  const clusterId = header.cluster_id ?? null;
  return { revision: BigInt(header.revision), clusterId, kvs, unreadable: 0 };
}

async function listAnew(
  client: EtcdClient,
  range: KeyRange,
  options: ListOptions,
): Promise<RangeList> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await listPages(client, range, options);
    } catch (error) {
      // The present state can be listed at a newer revision; a given one is gone for good.
      const gone = !(error instanceof RevisionCompactedError) || options.revision !== undefined;
      if (gone || attempt === ATTEMPTS) throw error;
    }
  }
}

async function listPages(
  client: EtcdClient,
  { key, rangeEnd }: KeyRange,
  { keysOnly = false, revision, pageSize }: ListOptions,
): Promise<RangeList> {
  const common = keysOnly ? { keys_only: true } : {};
  let limit = pageSize ?? (keysOnly ? FIRST_PAGE.keys : FIRST_PAGE.values);
  let at = revision?.toString();
  let from = key;
  let clusterId: string | null = null;
  const all: IKeyValue[] = [];
  for (;;) {
    const page = await client.range({
      key: from,
      ...(rangeEnd && { range_end: rangeEnd, limit }),
      ...common,
      ...(at && { revision: at }),
    });
    for (const kv of page.kvs) all.push(kv);
    // The header tells the present revision, which is the list's own on the first page of the
    // present state only.
    at ??= page.header.revision;
    clusterId = page.header.cluster_id ?? null;
    const last = page.kvs.at(-1);
    if (!page.more || !last) break;
    if (pageSize === undefined && !keysOnly) limit = nextLimit(page.kvs);
    from = Buffer.concat([last.key, Buffer.of(0)]);
  }
  const kvs = all.filter((kv) => isUtf8(kv.key));
  return { revision: BigInt(at), clusterId, kvs, unreadable: all.length - kvs.length };
}

/** As many keys as will fill a page if they are like those before, sixteen times as many at most. */
function nextLimit(kvs: readonly IKeyValue[]): number {
  const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
  const fitting = Math.floor((PAGE_BYTES * kvs.length) / bytes);
  return Math.max(1, Math.min(fitting, LARGEST_PAGE, 16 * kvs.length));
}
