import type { IKeyValue } from 'etcd3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { REVISIONS, type HeldKey } from './held-key.js';
import { prefixRange } from './key-range.js';
import { RevisionCheck } from './revision-check.js';

const INTERVAL_MS = 60_000;
const GRACE_MS = 2000;

describe('the revision check', () => {
  let entries: Map<string, HeldKey>;
  let revision: bigint;
  let listed: { revision: bigint; clusterId: string; keys: Record<string, number> };
  let lists: number;
  let answer: () => Promise<void>;
  let heardAt: number;
  let lost: number[];
  let replaced: number;
  let frozenMs: number;
  let check: RevisionCheck<HeldKey>;

  beforeEach(() => {
    vi.useFakeTimers();
    [entries, revision, lists, lost, replaced] = [new Map(), 20n, 0, [], 0];
    heardAt = -Infinity;
    frozenMs = 0;
    listed = { revision: 20n, clusterId: 'c', keys: {} };
    answer = () => Promise.resolve();
    const client = {
      clock: { ...systemClock, now: () => systemClock.now() + frozenMs },
      range: async (request: { keys_only?: boolean }) => {
        expect(request.keys_only).toBe(true);
        lists += 1;
        await answer();
        const kvs = Object.entries(listed.keys).map(
          ([key, mod]) => ({ key: Buffer.from(key), mod_revision: `${mod}` }) as IKeyValue,
        );
        return { kvs, header: { revision: `${listed.revision}`, cluster_id: listed.clusterId } };
      },
    };
    check = new RevisionCheck(
      client as unknown as EtcdClient,
      prefixRange('k'),
      REVISIONS,
      {
        entries,
        revision: () => revision,
        clusterId: () => 'c',
        heardAt: () => heardAt,
        lost: (keys) => lost.push(keys),
        replaced: () => (replaced += 1),
      },
      INTERVAL_MS,
      () => 0.5,
    );
  });
  afterEach(() => {
    check.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  function hold(keys: Record<string, number>): void {
    for (const [key, mod] of Object.entries(keys)) entries.set(key, { mod_revision: `${mod}` });
  }
  const begin = async () => {
    check.start();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
  };

  it('gives what is on its way its time after the process itself stood still', async () => {
    hold({ k1: 5 });
    listed = { revision: 25n, clusterId: 'c', keys: { k1: 9 } };
    await begin();
    heardAt = Infinity;
    // Its timers fire before anything that has come in meanwhile is read.
    frozenMs = 10_000;
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(lost).toEqual([]);
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(lost).toEqual([1]);
  });

  it('looks again and again while all is well', async () => {
    hold({ k1: 5, k2: 20 });
    listed.keys = { k1: 5, k2: 20 };
    await begin();
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS);
    expect([lists, lost]).toEqual([4, []]);
  });

  it.each([
    ['a put', { k1: 5 }, { k1: 9 }],
    ['a new key', {}, { k1: 9 }],
    ['a delete', { k1: 5, k2: 6 }, { k2: 6 }],
    ['another history, although it is older', { k1: 9 }, { k1: 5 }],
  ] as [string, Record<string, number>, Record<string, number>][])(
    'finds %s that was lost at once, when all events up to the list are here',
    async (_, held, shown) => {
      hold(held);
      listed.keys = shown;
      await begin();
      expect(lost).toEqual([1]);
    },
  );

  it('waits for what may be on its way, and does not blame it', async () => {
    hold({ k1: 5, k2: 6 });
    listed = { revision: 22n, clusterId: 'c', keys: { k1: 21 } };
    await begin();
    expect(lost).toEqual([]);
    hold({ k1: 21 });
    entries.delete('k2');
    check.noteDeleted('k2', '22');
    revision = 22n;
    heardAt = performance.now();
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect([lost, replaced]).toEqual([[], 0]);
  });

  it('waits as long as events come in, or nothing is heard at all', async () => {
    hold({ k1: 5 });
    listed = { revision: 30n, clusterId: 'c', keys: { k1: 30 } };
    await begin();
    for (revision = 21n; revision < 26n; revision += 1n) {
      heardAt = performance.now();
      await vi.advanceTimersByTimeAsync(GRACE_MS);
    }
    expect(lost).toEqual([]);
    heardAt = -Infinity;
    await vi.advanceTimersByTimeAsync(10 * GRACE_MS);
    expect(lost).toEqual([]);
    heardAt = performance.now();
    await vi.advanceTimersByTimeAsync(GRACE_MS);
    expect(lost).toEqual([1]);
  });

  it('does not blame what came in while the list was made', async () => {
    hold({ k1: 5, k2: 6 });
    listed.keys = { k1: 5, k2: 6 };
    answer = () => {
      hold({ k1: 21, k3: 22 });
      entries.delete('k2');
      check.noteDeleted('k2', '23');
      revision = 23n;
      return Promise.resolve();
    };
    await begin();
    expect(lost).toEqual([]);
  });

  it('blames a delete that etcd knows nothing of', async () => {
    hold({ k2: 6 });
    listed.keys = { k2: 6 };
    answer = () => {
      entries.delete('k2');
      check.noteDeleted('k2', '19');
      return Promise.resolve();
    };
    await begin();
    expect(lost).toEqual([1]);
  });

  it.each([
    ['of another cluster', { clusterId: 'd', revision: 20n }],
    ['that has gone back', { clusterId: 'c', revision: 19n }],
  ])('knows a database %s for another one', async (_, database) => {
    listed = { ...database, keys: {} };
    await begin();
    expect([replaced, lost]).toEqual([1, []]);
  });

  it('tries again when it cannot list, and says nothing once it is stopped', async () => {
    hold({ k1: 5 });
    answer = () => Promise.reject(new Error('away'));
    await begin();
    expect([lists, lost]).toEqual([1, []]);
    let list: () => void = () => undefined;
    answer = () => new Promise((resolve) => (list = resolve));
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect(lists).toBe(2);
    check.stop();
    list();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect([lists, lost]).toEqual([2, []]);
  });

  it('comes soon after an interruption, and never if it is turned off', async () => {
    check.startSoon();
    await vi.advanceTimersByTimeAsync(5000);
    expect(lists).toBe(1);
    const off = new RevisionCheck(null as never, prefixRange('k'), REVISIONS, null as never, 0);
    check.stop();
    off.start();
    off.startSoon();
    expect(vi.getTimerCount()).toBe(0);
  });
});
