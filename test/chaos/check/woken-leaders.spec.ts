import { describe, expect, it } from 'vitest';
import type { NemesisNote } from '../history/note.js';
import { evidence, TrueHistory } from './evidence-builder.js';
import { excusedOverlaps, overlaps } from './one-owner.js';
import type { OwnershipNote } from './ownership.js';
import { tokenFaults } from './tokens.js';
import { keysOfWokenLeaders } from './woken-leaders.js';

const TTL_MS = 2_000;
const note = (type: string, process: string, token: string, t: number) =>
  ({ type, t, process, work: 'locks', of: 'lock/a', token }) as unknown as OwnershipNote;

const former = (5n << 20n) + 3n;
/** The former owner says that it is valid until `to`, and the next one from 5,100 on. */
const history = (to: number) => [
  ...[note('granted', '0.0', `${former}`, 10), note('valid', '0.0', `${former}`, to)],
  ...[note('granted', '1.0', `${9n << 20n}`, 5_100), note('valid', '1.0', `${9n << 20n}`, 9_000)],
];

/** Its key is deleted at 5,000; a leader that was frozen wakes up at `t`. */
function ended(t: number, kind = 'freeze leader') {
  const nemesis = [
    { type: 'fault-begun', kind, fault: 'f1', targets: ['m0'], t: 1 },
    { type: 'fault-over', fault: 'f1', hit: true, t },
  ] as unknown as NemesisNote[];
  const { truth } = new TrueHistory().put('lock/a/queue/1-0-w', '', { revision: 5n });
  const gone = { ...truth[0]!, type: 'delete' as const, createRevision: 0n, t: 5_000 };
  return keysOfWokenLeaders(evidence({ notes: { nemesis }, truth: [...truth, gone] }));
}

describe('an owner whose key a leader of etcd deleted when it woke up', () => {
  it('is excused until its watch must have told it', () => {
    const byEtcd = { ended: ended(4_800), ttlMs: TTL_MS };
    expect(overlaps(history(5_200), byEtcd)).toEqual([]);
    expect(excusedOverlaps(history(5_200), byEtcd)).toBe(1);
  });

  it('is not excused for longer than its lease can have stood', () => {
    const byEtcd = { ended: ended(4_800), ttlMs: TTL_MS };
    expect(overlaps(history(7_100), byEtcd)).toHaveLength(1);
    expect(excusedOverlaps(history(7_100), byEtcd)).toBe(0);
  });

  it('is excused if it was told of its turn when that was over', () => {
    const late = [
      ...[
        note('granted', '1.0', `${9n << 20n}`, 5_050),
        note('valid', '1.0', `${9n << 20n}`, 9_000),
      ],
      ...[note('granted', '0.0', `${former}`, 5_100), note('valid', '0.0', `${former}`, 5_200)],
    ];
    const byEtcd = { ended: ended(4_800), ttlMs: TTL_MS };
    expect([...overlaps(late, byEtcd), ...tokenFaults(late, byEtcd)]).toEqual([]);
    expect(overlaps(late)).toHaveLength(1);
    expect(tokenFaults(late)).toHaveLength(1);
  });

  it.each([
    ['long before', 3_900, 'freeze leader'],
    ['long after', 6_600, 'freeze leader'],
    ['from another fault', 4_800, 'kill leader'],
  ])('is not excused if no leader woke up then: %s', (_, t, kind) => {
    expect(overlaps(history(5_200), { ended: ended(t, kind), ttlMs: TTL_MS })).toHaveLength(1);
  });
});
