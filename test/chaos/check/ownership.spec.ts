import { describe, expect, it } from 'vitest';
import { awaitedOwners } from './awaited-owners.js';
import { evidence, TrueHistory } from './evidence-builder.js';
import {
  acceptedWrites,
  type AcceptedWrite,
  writeFaults,
  type WritesAfterwards,
} from './guarded-writes.js';
import { holdings } from './holdings.js';
import { lossFaults } from './losses.js';
import { overlaps } from './one-owner.js';
import type { OwnershipNote } from './ownership.js';
import { tokenFaults } from './tokens.js';

type Of<T extends OwnershipNote['type']> = Partial<Extract<OwnershipNote, { type: T }>>;

/** What one process notes of one grant. */
function grant(process: string, token: string, of = 'lock/a') {
  const note = <T extends OwnershipNote['type']>(type: T, t: number, more: object = {}) =>
    ({ type, t, process, work: 'locks', of, token, ...more }) as unknown as OwnershipNote;
  return {
    granted: (t: number, more: Of<'granted'> = {}) =>
      note('granted', t, { how: 'acquire', ...more }),
    valid: (t: number) => note('valid', t),
    lost: (t: number) => note('lost', t),
    released: (t: number) => note('released', t),
    woke: (t: number, more: Of<'woke'>) => note('woke', t, more),
    used: (t: number, more: Of<'used'>) => note('used', t, more),
    sent: (write: string, more: Of<'sent'> = {}) =>
      note('sent', 0, { write, guard: 'fenced', valid: true, late: false, ...more }),
    answered: (write: string, outcome: 'accepted' | 'refused' | 'unknown') =>
      note('answered', 0, { write, outcome }),
  };
}

const a = grant('0.0', '5');
const b = grant('1.0', '9');

const accepted = (write: string, token: string, revision: number, version = 1): AcceptedWrite => ({
  ...{ of: 'lock/a', write, token, version },
  revision: BigInt(revision),
});

/** Two grants, one after the other, both writing. */
const good = [
  ...[a.granted(10), a.valid(10), a.sent('a1'), a.answered('a1', 'accepted'), a.valid(20)],
  ...[a.released(21), b.granted(22), b.valid(22), b.sent('b1'), b.valid(30), b.released(31)],
];
const goodWrites = [accepted('a1', '5', 100), accepted('b1', '9', 101)];

/** The keys by which the grants stand, all of them to the end. */
const standing = new TrueHistory()
  .put('lock/b/x', '', { revision: 3n })
  .put('lock/a/x', '', { revision: 5n })
  .put('lock/a/y', '', { revision: 9n });

const judgeWrites = (
  notes: readonly OwnershipNote[],
  writes: readonly AcceptedWrite[],
  more?: WritesAfterwards,
  { truth } = standing,
) => writeFaults(notes, writes, { truth }, more);

describe('a good history', () => {
  it('breaks no rule', () => {
    expect(overlaps(good)).toEqual([]);
    expect(tokenFaults(good)).toEqual([]);
    expect(lossFaults(good)).toEqual([]);
    expect(judgeWrites(good, goodWrites)).toEqual([]);
    expect(holdings(good).get('lock/a')).toEqual([
      { process: '0.0', token: 5n, from: 10, to: 20 },
      { process: '1.0', token: 9n, from: 22, to: 30 },
    ]);
  });

  it('may hold a grant that was noted when it was over already', () => {
    const late = [b.granted(22), b.valid(23), b.valid(30), a.granted(25), a.lost(25)];
    expect(overlaps(late)).toEqual([]);
    expect(tokenFaults(late)).toEqual([]);
  });

  it('may hold writes whose answers are unknown, applied or not', () => {
    const notes = [a.sent('a1'), a.answered('a1', 'unknown'), a.sent('a2'), b.sent('b1')];
    expect(judgeWrites(notes, goodWrites)).toEqual([]);
  });

  it('may hold a raw write that beat the end of the lease, though its holder had given up', () => {
    const notes = [a.sent('a1', { guard: 'raw', valid: false, late: true }), b.sent('b1')];
    expect(judgeWrites(notes, goodWrites)).toEqual([]);
  });

  it('may have two owners of two things, with whatever tokens', () => {
    const other = grant('1.0', '3', 'lock/b');
    const notes = [a.granted(10), a.valid(11), other.granted(12), other.valid(13), a.valid(14)];
    expect(overlaps(notes)).toEqual([]);
    expect(tokenFaults(notes)).toEqual([]);
  });
});

describe('overlaps', () => {
  it('finds two that were valid at one moment', () => {
    const notes = [a.granted(10), a.valid(10), b.granted(20), b.valid(20), a.valid(20.5)];
    expect(overlaps(notes)).toEqual([
      expect.stringMatching(/^lock\/a: Token 5 of 0\.0 .* Token 9 of 1\.0/),
    ]);
  });

  it('finds one whose predecessor outlived a short one in between', () => {
    const c = grant('2.0', '11');
    const notes = [
      ...[a.granted(10), b.granted(20), b.valid(21), c.granted(30), c.valid(31), a.valid(40)],
    ];
    expect(overlaps(notes)).toHaveLength(2);
  });

  it('finds two workers of one process', () => {
    const other = grant('0.0', '6');
    const notes = [a.granted(10), other.granted(11), other.valid(12), a.valid(12)];
    expect(overlaps(notes)).toHaveLength(1);
  });

  it('finds one that woke up and did not know, until it was told', () => {
    const notes = [
      ...[a.granted(10), a.valid(20), b.granted(40), b.valid(50)],
      ...[a.woke(45, { valid: true, aborted: true, validAfter: false }), a.lost(45)],
    ];
    expect(overlaps(notes)).toHaveLength(1);
  });

  it('does not call that an overlap which a frozen holder never claimed', () => {
    // Its last word was at 20; it woke up at 60 and knew.
    const notes = [
      ...[a.granted(10), a.valid(20), b.granted(40), b.valid(50)],
      ...[a.woke(60, { valid: false, aborted: true, validAfter: false }), a.lost(60)],
    ];
    expect(overlaps(notes)).toEqual([]);
    expect(lossFaults(notes)).toEqual([]);
  });
});

describe('tokenFaults', () => {
  it('finds one token of two', () => {
    const twin = grant('1.0', '5');
    const notes = [a.granted(10), a.valid(11), twin.granted(20)];
    expect(tokenFaults(notes)).toEqual(['lock/a: Token 5 was granted to 0.0 and to 1.0.']);
  });

  it('finds one that is smaller than an earlier one', () => {
    const notes = [b.granted(10), b.valid(11), a.granted(20), a.valid(21)];
    expect(tokenFaults(notes)).toEqual([
      'lock/a: Token 5 of 0.0 was granted after Token 9 of 1.0.',
    ]);
  });

  it('compares numbers, not text', () => {
    const notes = [grant('0.0', '9'), grant('1.0', '10')].flatMap((one, at) => [
      one.granted(at),
      one.valid(at),
    ]);
    expect(tokenFaults(notes)).toEqual([]);
  });
});

describe('lossFaults', () => {
  it('finds a lock that came back to life', () => {
    expect(lossFaults([a.granted(1), a.lost(2), a.valid(3)])).toHaveLength(1);
    // What was lost is the other thing of that token.
    expect(lossFaults([a.granted(1), grant('0.0', '5', 'lock/b').lost(2), a.valid(3)])).toEqual([]);
  });

  it('finds one that was valid again after it had woken up and known its end', () => {
    const woke = (more: Of<'woke'>) =>
      lossFaults([
        ...[a.granted(1), a.woke(5, { valid: false, aborted: true, validAfter: false, ...more })],
        a.valid(6),
      ]);
    expect(woke({})).toEqual([expect.stringMatching(/was valid again at 6\.000/)]);
    expect(woke({ valid: true, aborted: false })).toHaveLength(1);
    expect(woke({ valid: true, aborted: false, validAfter: true })).toEqual([]);
  });

  it('finds a signal that disagrees with the clock', () => {
    const woke = (valid: boolean, aborted: boolean, validAfter: boolean) =>
      lossFaults([a.woke(1, { valid, aborted, validAfter })]);
    expect(woke(false, false, false)).toHaveLength(1);
    expect(woke(true, true, true)).toHaveLength(1);
    expect(woke(true, false, true)).toEqual([]);
    // It may end between two statements.
    expect(woke(true, true, false)).toEqual([]);
    const signalFirst = (aborted: boolean, valid: boolean) =>
      lossFaults([a.woke(1, { aborted, valid, validAfter: valid, signalFirst: true })]);
    expect(signalFirst(false, false)).toEqual([
      expect.stringMatching(/woke up with signal\.aborted false, then isValid\(\) false/),
    ]);
    expect(signalFirst(true, true)).toHaveLength(1);
    expect(signalFirst(true, false)).toEqual([]);
    expect(signalFirst(false, true)).toEqual([]);
  });

  it('finds a loss that using() kept quiet', () => {
    expect(lossFaults([a.used(1, { outcome: 'resolved', validAtEnd: false })])).toHaveLength(1);
    // It may be lost after the last statement of the work.
    expect(lossFaults([a.used(1, { outcome: 'lost', validAtEnd: true })])).toEqual([]);
  });
});

describe('acceptedWrites', () => {
  it('are the puts under the prefix, with their tokens', () => {
    const { truth } = new TrueHistory()
      .put('written/lock/a/0.0-1', '5')
      .put('lock/a', 'x')
      .put('written/lock/a/0.0-1', '5');
    expect(acceptedWrites(evidence({ truth }))).toEqual([
      { of: 'lock/a', write: '0.0-1', token: '5', revision: 2n, version: 1 },
      { of: 'lock/a', write: '0.0-1', token: '5', revision: 4n, version: 2 },
    ]);
  });
});

describe('writeFaults', () => {
  const notes = [a.sent('a1'), a.sent('a2'), b.sent('b1')];

  it('finds a stale write, whatever the order in which it is told', () => {
    const stale = accepted('a2', '5', 102);
    const words =
      'lock/a: Write a2 of token 5 was accepted at revision 102, after one of token 9 at 101.';
    expect(judgeWrites(notes, [...goodWrites, stale])).toEqual([words]);
    expect(judgeWrites(notes, [stale, ...goodWrites])).toEqual([words]);
  });

  it('compares the tokens of one thing only', () => {
    const other = grant('2.0', '3', 'lock/b');
    const writes = [...goodWrites, { ...accepted('o1', '3', 102), of: 'lock/b' }];
    expect(judgeWrites([...notes, other.sent('o1')], writes)).toEqual([]);
  });

  it('finds a fenced write that was sent under a lost lock', () => {
    const late = [a.sent('a1', { valid: false, late: true })];
    expect(judgeWrites(late, [accepted('a1', '5', 100)])).toHaveLength(1);
    expect(judgeWrites(late, [])).toEqual([]);
    // Given up, it stands until its work has drained; lost, it does not.
    const byReason = (reason: string) =>
      judgeWrites(
        [...late, { ...a.lost(1), reason } as OwnershipNote],
        [accepted('a1', '5', 100)],
        { givenUp: ['resigned'] },
      );
    expect(byReason('resigned')).toEqual([]);
    expect(byReason('session-lost')).toHaveLength(1);
  });

  it('finds a write that was accepted when the key of its grant was gone, though nobody had it since', () => {
    const gone = new TrueHistory().put('lock/a/x', '', { revision: 5n }).delete('lock/a/x', 100n);
    const first = [accepted('a1', '5', 100)];
    expect(judgeWrites(notes, first, {}, gone)).toEqual([]);
    const second = [accepted('a1', '5', 101)];
    expect(judgeWrites(notes, second, {}, gone)).toEqual([
      'lock/a: Write a1 of token 5 was accepted at revision 101, and the key of its grant was gone from 100 on.',
    ]);
    // A term that was given up drains no longer than its key stands.
    const given = [
      a.sent('a1', { valid: false, late: true }),
      { ...a.lost(1), reason: 'resigned' } as OwnershipNote,
    ];
    expect(judgeWrites(given, first, { givenUp: ['resigned'] }, gone)).toEqual([]);
    expect(judgeWrites(given, second, { givenUp: ['resigned'] }, gone)).toHaveLength(1);
    // What has no guard compares nothing.
    expect(judgeWrites([a.sent('a1', { guard: 'none' })], second, {}, gone)).toEqual([]);
  });

  it('knows a grant behind the key of an earlier one by its token, and finds one without any key', () => {
    const turn = String((5n << 20n) | 3n);
    const passedOn = [grant('0.0', turn).sent('a1')];
    expect(judgeWrites(passedOn, [accepted('a1', turn, 100)])).toEqual([]);
    const never = judgeWrites([grant('0.0', '4').sent('a1')], [accepted('a1', '4', 100)]);
    expect(never).toEqual([expect.stringMatching(/never had a key in etcd/)]);
  });

  it('finds answers that are not true', () => {
    expect(judgeWrites([a.sent('a1'), a.answered('a1', 'accepted')], [])).toHaveLength(1);
    const applied = [accepted('a1', '5', 100)];
    expect(judgeWrites([a.sent('a1'), a.answered('a1', 'refused')], applied)).toHaveLength(1);
  });

  it('finds a write that was applied twice, and one that nobody sent', () => {
    expect(judgeWrites([a.sent('a1')], [accepted('a1', '5', 100, 2)])).toHaveLength(1);
    expect(judgeWrites([], [accepted('a1', '5', 100)])).toHaveLength(1);
  });
});

describe('awaitedOwners', () => {
  const await_ = (notes: OwnershipNote[], processes = ['0.0', '1.0']) =>
    awaitedOwners(notes, { things: ['lock/a'], processes, healedAt: 100 });

  it('are none once all had their turn', () => {
    expect(await_([a.granted(140), b.granted(170)])).toEqual([]);
  });

  it('are those who had none since, and the thing that nobody owned', () => {
    expect(await_([a.granted(90), b.granted(170)])).toEqual([
      'Process 0.0 was not granted lock/a since the healing.',
    ]);
    expect(await_([a.granted(90)], [])).toEqual(['Nobody has owned lock/a since the healing.']);
    expect(await_([a.granted(90), a.valid(101)], [])).toEqual([]);
  });
});

describe('what several own at a time', () => {
  const c = grant('2.0', '11');
  const reading = { shared: true } as const;

  it('has readers side by side, and no writer beside any', () => {
    const readers = [...[b.granted(10, reading), a.granted(11, reading), a.valid(20), b.valid(30)]];
    expect([...overlaps(readers), ...tokenFaults(readers)]).toEqual([]);
    const writer = [...readers, c.granted(25), c.valid(26)];
    expect(overlaps(writer)).toEqual([
      expect.stringMatching(/Token 9 of 1\.0 .* Token 11 of 2\.0/),
    ]);
    const late = [c.granted(1), c.valid(2), ...readers];
    expect(tokenFaults(late)).toHaveLength(2);
  });

  it('takes a reader write after that of a later reader, but of no later writer', () => {
    const writes = [accepted('b1', '9', 100), accepted('a1', '5', 101)];
    const readers = [a.granted(1, reading), a.sent('a1'), b.sent('b1')];
    expect(judgeWrites([...readers, b.granted(2, reading)], writes)).toEqual([]);
    expect(judgeWrites([...readers, b.granted(2)], writes)).toHaveLength(1);
  });

  it('has as many as there are permits, in whatever order, and no more', () => {
    const two = [b.granted(10), a.granted(11), a.valid(30), b.valid(30)];
    expect(overlaps(two, undefined, 2)).toEqual([]);
    expect(tokenFaults(two, undefined, 2)).toEqual([]);
    expect(overlaps(two)).toHaveLength(1);
    const three = [...two, c.granted(25), c.valid(26)];
    expect(overlaps(three, undefined, 2)).toHaveLength(2);
    const writes = [accepted('b1', '9', 100), accepted('a1', '5', 101)];
    const sent = [a.sent('a1'), b.sent('b1')];
    expect(judgeWrites(sent, writes, { permits: 2 })).toEqual([]);
    expect(judgeWrites(sent, writes)).toHaveLength(1);
  });
});
