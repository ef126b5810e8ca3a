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
const history = (to: number, from = 5_100) => [
  ...[note('granted', '0.0', `${former}`, 10), note('valid', '0.0', `${former}`, to)],
  ...[note('granted', '1.0', `${9n << 20n}`, from), note('valid', '1.0', `${9n << 20n}`, 9_000)],
];

/** Its key is deleted at 5,000; a leader that was frozen wakes up at `t`. */
function ended(t: number, kind = 'freeze leader', { lease = '7', since = 1 } = {}) {
  const nemesis = [
    { type: 'fault-begun', kind, fault: 'f1', targets: ['m0'], t: since },
    { type: 'thawed', fault: 'f1', member: 'm0', t },
    { type: 'fault-over', fault: 'f1', hit: true, t: t + 400 },
  ] as unknown as NemesisNote[];
  const { truth } = new TrueHistory().put('lock/a/queue/1-0-w', '', { revision: 5n, lease });
  const gone = { ...truth[0]!, type: 'delete' as const, createRevision: 0n, t: 5_000 };
  return keysOfWokenLeaders(
    evidence({ notes: { nemesis }, truth: [...truth, gone], ttlMs: TTL_MS }),
  );
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

  it('is not excused for a second owner from before', () => {
    const byEtcd = { ended: ended(4_800), ttlMs: TTL_MS };
    expect(overlaps(history(5_200, 3_000), byEtcd)).toHaveLength(1);
  });

  it('is not excused if its key was on no lease, or the leader slept too shortly to end one', () => {
    for (const ends of [
      ended(4_800, 'freeze leader', { lease: '0' }),
      ended(4_800, 'freeze leader', { since: 4_000 }),
    ]) {
      expect(overlaps(history(5_200), { ended: ends, ttlMs: TTL_MS })).toHaveLength(1);
    }
  });

  it('does not hide two others that overlap under it', () => {
    const byEtcd = { ended: ended(4_800), ttlMs: TTL_MS };
    const third = `${11n << 20n}`;
    const others = [note('granted', '2.0', third, 5_150), note('valid', '2.0', third, 5_180)];
    expect(overlaps([...history(5_200), ...others], byEtcd)).toEqual([
      expect.stringMatching(/Token 9437184 of 1\.0 .* Token 11534336 of 2\.0/),
    ]);
  });

  it.each([
    ['long before', 3_900, 'freeze leader'],
    ['right after', 5_001, 'freeze leader'],
    ['from another fault', 4_800, 'kill leader'],
  ])('is not excused if no leader woke up then: %s', (_, t, kind) => {
    expect(overlaps(history(5_200), { ended: ended(t, kind), ttlMs: TTL_MS })).toHaveLength(1);
  });
});
