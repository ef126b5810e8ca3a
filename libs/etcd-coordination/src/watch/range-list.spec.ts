import type { IKeyValue } from 'etcd3';
import { describe, expect, it } from 'vitest';
import type { EtcdClient } from '../client/etcd-client.js';
import { prefixRange } from './key-range.js';
import { listRange, type ListOptions } from './range-list.js';

/** Of each key in the lists below. */
const KEY_BYTES = 'ns/000000'.length;

/** Keys whose values have so many bytes each, in etcd's order. */
function keys(valueSizes: readonly number[]): IKeyValue[] {
  const values = new Map<number, Buffer>();
  return valueSizes.map((bytes, index) => {
    if (!values.has(bytes)) values.set(bytes, Buffer.alloc(bytes));
    return {
      key: Buffer.from(`ns/${String(index).padStart(6, '0')}`),
      value: values.get(bytes)!,
      ...{ mod_revision: '7', create_revision: '7', version: '1', lease: '0' },
    };
  });
}
const alike = (count: number, bytes: number) => keys(Array.from({ length: count }, () => bytes));

/** Lists them, and tells how many keys each page was asked to hold. */
async function limitsOf(kvs: readonly IKeyValue[], options?: ListOptions): Promise<number[]> {
  const limits: number[] = [];
  const client = {
    range: async ({ key, limit, revision }: { key: Buffer; limit: number; revision?: string }) => {
      expect(revision).toBe(limits.length === 0 ? undefined : '9');
      limits.push(limit);
      const from = kvs.findIndex((kv) => kv.key.compare(key) >= 0);
      const page = kvs.slice(from, from + limit);
      // Later pages are of the first one's revision, whatever is the present one.
      const header = { revision: `${8 + limits.length}`, cluster_id: '1' };
      return { kvs: page, more: from + limit < kvs.length, header };
    },
  };
  const list = await listRange(client as unknown as EtcdClient, prefixRange('ns/'), options);
  expect(list.revision).toBe(9n);
  expect(list.kvs).toEqual(kvs);
  return limits;
}

describe('how many keys each page of a list is asked to hold', () => {
  it('is 16, then sixteen times as many at most, up to 5,000', async () => {
    const limits = await limitsOf(alike(16 + 256 + 4096 + 5000 + 1, 1));
    expect(limits).toEqual([16, 256, 4096, 5000, 5000]);
  });

  it('is as many as fill 2 MiB if they are like those before', async () => {
    expect(await limitsOf(alike(300, 16 * 1024 - KEY_BYTES))).toEqual([16, 128, 128, 128]);
    const growing = [
      ...Array.from({ length: 16 }, () => 16 * 1024 - KEY_BYTES),
      ...Array.from({ length: 128 }, () => 1024 * 1024 - KEY_BYTES),
      ...[1, 1, 1],
    ];
    expect(await limitsOf(keys(growing))).toEqual([16, 128, 2, 32]);
  });

  it.each([1_300_000, 3_000_000])('is one for values of %i bytes', async (bytes) => {
    expect(await limitsOf(alike(19, bytes))).toEqual([16, 1, 1, 1]);
  });

  it('is 5,000 from the first on where no values come', async () => {
    expect(await limitsOf(alike(10_001, 0), { keysOnly: true })).toEqual([5000, 5000, 5000]);
  });
});
