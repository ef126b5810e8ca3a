import { beforeEach, describe, expect, it } from 'vitest';
import { HOLD_MS, ShareMembers } from './share-members.js';
import type { ShareRecord } from './share-record.js';

let members: ShareMembers;
let beats = 0;
const record = (more: Partial<ShareRecord> = {}): ShareRecord => ({
  ...{ beat: (beats += 1), everyMs: 0, want: 0, forMs: 0, grants: [], heeds: [], left: false },
  ...more,
});
const standing = (...ids: string[]) => new Map(ids.map((id) => [id, record()]));
const calm = (now: number) => ({ now, isAfterOutage: false });

beforeEach(() => {
  members = new ShareMembers('me');
});

describe('those who share a limit', () => {
  it('count as soon as they are seen, and no longer when one is gone', () => {
    expect(members.count(0, false)).toBe(1);
    members.take(standing('me', 'a', 'b', 'c'), calm(0));
    expect(members.count(0, false)).toBe(4);
    members.take(standing('me', 'a', 'b'), calm(100));
    expect(members.count(100, false)).toBe(3);
  });

  it.each([
    ['together', () => [standing('me'), calm(5000)] as const],
    ['with the own record', () => [standing('a', 'b'), calm(5000)] as const],
    [
      'right after an outage',
      () => [standing('me', 'a', 'b'), { now: 5000, isAfterOutage: true }] as const,
    ],
  ])('count on for a while when some vanish %s', (_how, vanished) => {
    members.take(standing('me', 'a', 'b', 'c', 'd').set('d', record({ left: true })), calm(0));
    const before = members.count(0, false);
    const [records, sight] = vanished();
    members.take(records, sight);
    expect(members.count(5000, sight.isAfterOutage)).toBe(before);
    expect(['a', 'c', 'd'].map((id) => members.counts(id, 5000, false))).toEqual([
      ...[true, true, false],
    ]);
    expect(members.count(5000 + HOLD_MS, false)).toBe(records.has('me') ? records.size : 3);
    members.take(standing('me', 'a', 'b', 'c'), calm(6000 + HOLD_MS));
    expect(members.count(6000 + HOLD_MS, false)).toBe(4);
  });

  it('do not count any more once they have said farewell, however many', () => {
    members.take(standing('me', 'a', 'b', 'c'), calm(0));
    const left = standing('me', 'a', 'b', 'c');
    for (const id of ['a', 'b', 'c']) left.set(id, record({ left: true }));
    members.take(left, calm(10));
    expect(members.count(10, false)).toBe(1);
    members.take(standing('me'), calm(20));
    expect(members.count(20, false)).toBe(1);
  });

  describe('and say every 500 ms that they live', () => {
    const beat = (...ids: string[]) =>
      new Map(['me', ...ids].map((id) => [id, record({ everyMs: 500 })]));
    const hear = (now: number, records: Map<string, ShareRecord>) => {
      members.take(records, calm(now));
      members.heardOwn(now, 500);
    };

    it('do not count when one has missed three', () => {
      const [first, ...others] = [beat('a', 'b', 'c'), 500, 1000, 1500] as const;
      hear(0, first);
      for (const now of others) hear(now, beat('b', 'c').set('a', first.get('a')!));
      expect(members.count(1500, false)).toBe(4);
      expect(members.count(1501, false)).toBe(3);
      expect(members.count(1501, true)).toBe(4);
      expect([1500, 1501].map((now) => members.counts('a', now, false))).toEqual([true, false]);
      expect(['a', 'b'].map((id) => members.counts(id, 1501, true))).toEqual([true, true]);
    });

    it.each([
      ['at once when most were silent until their leases ran out', false, 1],
      ['for a while when it was right after an outage', true, 4],
    ])('no longer count %s', (_how, isAfterOutage, count) => {
      const first = beat('a', 'b', 'c');
      hear(0, first);
      for (let now = 500; now <= 5000; now += 500) {
        hear(now, new Map(first).set('me', record({ everyMs: 500 })));
      }
      expect(members.count(5000, false)).toBe(4);
      members.take(beat(), { now: 5400, isAfterOutage });
      expect(members.count(5400, false)).toBe(count);
    });

    it('count while the own word is not heard either, and when most are silent', () => {
      const first = beat('a', 'b', 'c');
      hear(0, first);
      expect(members.count(5000, false)).toBe(4);
      // Whoever hears itself again gives the others as much time.
      hear(5000, new Map(first).set('me', record({ everyMs: 500 })));
      expect(members.count(5000, false)).toBe(4);
      for (const now of [5500, 6000, 6500, 7000]) {
        hear(now, new Map(first).set('me', record({ everyMs: 500 })));
      }
      expect(members.count(7000, false)).toBe(4);
      expect(members.counts('a', 7000, false)).toBe(true);
    });
  });

  it('are not taken back by a word that etcd took late', () => {
    const [old, fresh] = [record({ everyMs: 500 }), record()];
    members.take(new Map([['a', fresh]]), calm(0));
    members.take(new Map([['a', old]]), calm(10));
    expect(members.others.get('a')!.record).toBe(fresh);
  });
});
