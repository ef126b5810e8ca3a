import { describe, expect, it } from 'vitest';
import type { Compaction } from './evidence.js';
import { TrueHistory } from './evidence-builder.js';
import { awaitedEvents, watchFaults } from './watch-events.js';
import type { ToldEvent, WatchNote } from './watch-notes.js';
import { awaitedStates, finalStateFaults, stateFaults } from './watched-states.js';

/** Revisions 2 to 7; 4 has two events. */
const history = new TrueHistory()
  .put('w/a', '1')
  .put('w/b', '2')
  .put('w/a', '3')
  .put('w/c', '3', { revision: 4n })
  .put('other', 'x')
  .delete('w/b')
  .put('w/a', '4');
const { truth, finalList } = history;

const put = (key: string, revision: number, value: string, resync = false): ToldEvent => [
  ...(['put', key, String(revision), value, resync] as const),
];
const gone = (key: string, revision: number, resync = false): ToldEvent => [
  ...(['delete', key, String(revision), '', resync] as const),
];

const A2 = put('w/a', 2, '1');
const B3 = put('w/b', 3, '2');
const A4 = put('w/a', 4, '3');
const C4 = put('w/c', 4, '3');
const DEL_B6 = gone('w/b', 6);
const A7 = put('w/a', 7, '4');

const note = (more: object, t = 50) =>
  ({ t, process: '0.0', work: 'watch', watch: '0.0/w1', ...more }) as unknown as WatchNote;
const subscribed = (more: object = {}) => note({ type: 'subscribed', prefix: 'w/', ...more }, 1);
const stood = (revision: number) => note({ type: 'stood', revision: String(revision) }, 2);
const told = (...events: ToldEvent[]) => note({ type: 'told', events }, 10);
const ended = (code: string) => note({ type: 'ended', code }, 90);
const showed = (revision: number, keys: Record<string, number>, more: object = {}) =>
  note({
    ...{ type: 'showed', synced: true, revision: String(revision) },
    keys: Object.entries(keys).map(([key, at]) => [key, String(at)]),
    ...more,
  });

const compacted = (revisions: readonly bigint[], askedAt = 5): Compaction[] =>
  revisions.map((revision) => ({ revision, askedAt }));

const judge = (notes: WatchNote[], revisions: bigint[] = []) =>
  watchFaults(notes, { truth, compactions: compacted(revisions) });

describe('a good watch', () => {
  it('is told everything after it stood, in order, a revision at once', () => {
    const notes = [subscribed(), stood(1), told(A2), told(B3, A4, C4), told(DEL_B6, A7)];
    expect(judge([...notes, ended('')])).toEqual([]);
  });

  it('may stand anywhere, and stop anywhere', () => {
    expect(judge([subscribed(), stood(3), told(A4, C4)])).toEqual([]);
    expect(judge([subscribed(), stood(5)])).toEqual([]);
    expect(judge([subscribed()])).toEqual([]);
  });

  it('may be told some of what was before it stood, before that or right after', () => {
    expect(judge([subscribed(), told(B3), stood(3), told(A4, C4)])).toEqual([]);
    expect(judge([subscribed(), stood(3), told(B3), told(A4, C4)])).toEqual([]);
  });

  it('is told a history from where it was asked for', () => {
    expect(judge([subscribed({ from: '4' }), told(C4, A4), stood(4), told(DEL_B6)])).toEqual([]);
    expect(judge([subscribed({ from: '4' }), ended('REVISION_COMPACTED')], [4n])).toEqual([]);
  });

  it('goes on after a compaction with the net difference', () => {
    const resync = told(A4map(true), put('w/c', 4, '3', true), gone('w/b', 6, true));
    expect(judge([subscribed(), stood(3), resync, told(A7)], [5n])).toEqual([]);
    expect(judge([subscribed(), stood(3), resync], [5n])).toEqual([]);
  });

  it('need not be told in a resync of what came and went before the list', () => {
    const { truth: more } = new TrueHistory()
      .put('w/a', '1')
      .put('w/x', 'x')
      .put('w/y', 'y')
      .delete('w/x')
      .put('w/z', 'z');
    const notes = [subscribed(), stood(2), told(put('w/y', 4, 'y', true))];
    const evidence = { truth: more, compactions: compacted([4n]) };
    expect(watchFaults(notes, evidence)).toEqual([]);
    expect(watchFaults([...notes, told(put('w/z', 6, 'z'))], evidence)).toEqual([]);
    // Missing the other way round.
    const wrong = [subscribed(), stood(2), told(put('w/x', 3, 'x', true))];
    expect(watchFaults([...wrong, told(put('w/z', 6, 'z'))], evidence)).toHaveLength(1);
  });
});

function A4map(resync: boolean): ToldEvent {
  return put('w/a', 4, '3', resync);
}

describe('watchFaults', () => {
  const one = (notes: WatchNote[], words: RegExp, compactions: bigint[] = []) =>
    expect(judge(notes, compactions)).toEqual([expect.stringMatching(words)]);

  it('finds an event that is missing', () => {
    one([subscribed(), stood(1), told(A2), told(A4, C4)], /revision 4 without put w\/b at 3\.$/);
    one([subscribed(), stood(1), told(B3)], /without put w\/a at 2/);
    one([subscribed({ from: '2' }), told(B3)], /without put w\/a at 2/);
    one([subscribed(), stood(4), told(A7)], /without delete w\/b at 6/);
  });

  it('finds part of a revision, now and the rest later', () => {
    one([subscribed(), stood(3), told(A4), told(DEL_B6)], /w\/a at 4 without put w\/c at 4/);
    expect(judge([subscribed(), stood(3), told(A4), told(C4)])).toHaveLength(2);
  });

  it('finds an event that was told twice, in one go or later', () => {
    one([subscribed(), stood(2), told(B3, B3)], /twice|already/);
    one([subscribed(), stood(2), told(B3), told(B3)], /already/);
    one([subscribed(), stood(2), told(B3), told(A4, C4), told(B3)], /after revision 4/);
  });

  it('finds events out of order', () => {
    expect(judge([subscribed(), stood(2), told(A4, C4, B3)])).toHaveLength(2);
  });

  it('finds what never happened, or not so', () => {
    one([subscribed(), stood(7), told(put('w/z', 9, 'z'))], /never happened/);
    one([subscribed(), stood(2), told(put('w/b', 3, 'x'))], /with "x", which was a put with "2"/);
    one([subscribed(), told(put('w/b', 3, 'x'))], /with "x"/);
  });

  it('finds a resync that nothing calls for', () => {
    const notes = [subscribed(), stood(1), told(A2), told(put('w/b', 3, '2', true))];
    one(notes, /nothing after revision 2 had been compacted/);
    one(notes, /nothing after revision 2/, [2n]);
    expect(judge(notes, [3n])).toEqual([]);
  });

  it('finds a resync that only a later compaction would call for', () => {
    const notes = [subscribed(), stood(1), told(A2), told(put('w/b', 3, '2', true))];
    const when = (askedAt: number) =>
      watchFaults(notes, { truth, compactions: compacted([3n], askedAt) });
    expect(when(9)).toEqual([]);
    expect(when(11)).toEqual([expect.stringMatching(/nothing after revision 2/)]);
  });

  it('lets a watch stand at a member that is further than it was told itself', () => {
    const resync = told(A4map(true), put('w/c', 4, '3', true));
    expect(judge([subscribed(), told(A2), stood(3), resync], [3n])).toEqual([]);
    one([subscribed(), told(A2, B3), stood(3), resync], /nothing after revision 3/, [3n]);
  });

  it('lets a resync be told in parts', () => {
    const parts = [told(A4map(true)), told(put('w/c', 4, '3', true))];
    expect(judge([subscribed(), stood(3), ...parts], [3n])).toEqual([]);
  });

  it('finds a resync that is not the difference', () => {
    const begin = [subscribed(), stood(3)];
    const half = told(A4map(true), gone('w/b', 6, true));
    one([...begin, half], /by which it lacks w\/c of revision 4/, [5n]);
    one([...begin, half, told(A7)], /resync before it it lacks w\/c/, [5n]);
    const kept = told(A4map(true), put('w/c', 4, '3', true));
    one([...begin, kept, told(A7)], /it has w\/b of revision 3, which is not there/, [5n]);
  });

  it('finds that it goes on after a compaction without the difference', () => {
    one([subscribed(), stood(3), told(A7)], /revision 7 without put w\/a at 4/, [5n]);
  });

  it('finds what a resync told again', () => {
    const notes = [subscribed(), stood(1), told(A2), told(put('w/a', 2, '1', true))];
    one(notes, /already/, [5n]);
  });

  it('finds a watch that ended by itself', () => {
    one([subscribed(), ended('SLOW_CONSUMER')], /ended by itself, with SLOW_CONSUMER/);
    one([subscribed(), ended('REVISION_COMPACTED')], /ended by itself/);
    const history = [subscribed({ from: '4' }), ended('REVISION_COMPACTED')];
    one(history, /revision 4 had not been compacted/);
    one(history, /revision 4 had not been compacted/, [3n]);
    const later = watchFaults(history, { truth, compactions: compacted([4n], 91) });
    expect(later).toHaveLength(1);
  });

  it('finds a watch that nobody can judge', () => {
    one([told(A2)], /before it subscribed/);
  });

  it('judges each subscription by itself', () => {
    const other = (one: WatchNote) => ({ ...one, watch: '1.0/w1', process: '1.0' });
    const notes = [subscribed(), stood(1), told(A2), other(subscribed()), other(stood(1))];
    expect(judge([...notes, other(told(B3)), told(B3)])).toHaveLength(1);
  });
});

describe('awaitedEvents', () => {
  const await_ = (notes: WatchNote[], survivors = ['0.0']) =>
    awaitedEvents(notes, { truth, survivors });

  it('are those up to the newest', () => {
    expect(await_([subscribed(), stood(1), told(A2)])).toHaveLength(1);
    expect(await_([subscribed(), stood(1), told(A7)])).toEqual([]);
    expect(await_([subscribed(), stood(7)])).toEqual([]);
  });

  it('are nothing to those who have ended', () => {
    expect(await_([subscribed(), stood(1)], ['1.0'])).toEqual([]);
    expect(await_([subscribed(), stood(1), ended('')])).toEqual([]);
  });
});

describe('stateFaults', () => {
  const states = (...notes: WatchNote[]) => stateFaults([subscribed(), ...notes], { truth });

  it('are none of what etcd held', () => {
    const good = [
      showed(0, {}, { synced: false }),
      showed(3, { 'w/a': 2, 'w/b': 3 }),
      showed(4, { 'w/a': 4, 'w/b': 3, 'w/c': 4 }),
      // Revision 5 is not under the prefix.
      showed(5, { 'w/a': 4, 'w/b': 3, 'w/c': 4 }),
      showed(7, { 'w/a': 7, 'w/c': 4 }),
    ];
    expect(states(...good)).toEqual([]);
  });

  it('find a half, an old, a surplus and a missing key', () => {
    expect(states(showed(4, { 'w/a': 4, 'w/b': 3 }))).toHaveLength(1);
    expect(states(showed(4, { 'w/a': 2, 'w/b': 3, 'w/c': 4 }))).toHaveLength(1);
    expect(states(showed(7, { 'w/a': 7, 'w/c': 4, 'w/b': 3 }))).toHaveLength(1);
    expect(states(showed(7, {}))).toHaveLength(1);
  });

  it('find one that goes back', () => {
    const faults = states(showed(4, { 'w/a': 4, 'w/b': 3, 'w/c': 4 }), showed(2, { 'w/a': 2 }));
    expect(faults).toEqual([expect.stringMatching(/went back from revision 4 to 2/)]);
  });

  it('find that the last is not the final list', () => {
    const evidence = { truth, finalList, survivors: ['0.0'] };
    const right = [subscribed(), showed(7, { 'w/a': 7, 'w/c': 4 })];
    const wrong = [subscribed(), showed(7, { 'w/a': 7 })];
    expect(finalStateFaults(right, evidence)).toEqual([]);
    expect(finalStateFaults(wrong, evidence)).toHaveLength(1);
    // Looked at before the last write.
    expect(finalStateFaults([subscribed(), showed(6, {})], evidence)).toEqual([]);
    expect(awaitedStates(right, evidence)).toEqual([]);
    expect(awaitedStates([subscribed(), showed(6, {})], evidence)).toHaveLength(1);
    expect(awaitedStates([...right, showed(7, {}, { synced: false })], evidence)).toHaveLength(1);
  });
});
