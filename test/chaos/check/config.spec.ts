import { describe, expect, it } from 'vitest';
import { TrueHistory } from './evidence-builder.js';
import type { TrueEvent } from './evidence.js';
import type { ConfigNote } from './config-notes.js';
import { awaitedConfigs, configFaults } from './config-values.js';

const LIVE = 'config/limits/live/layer/shared';

const note = (process: string, t: number, more: object) =>
  ({ t, process, work: 'config', config: 'limits', ...more }) as unknown as ConfigNote;

/** A value that somebody wants to publish, and what came of it. */
function publication(
  t: number,
  value: string,
  revision: number | null,
  { valid = true, via = 'store', outcome = 'accepted' } = {},
): ConfigNote[] {
  return [
    note('9.0', t, { type: 'publishing', attempt: `${value} ${t}`, value, valid, via }),
    note('9.0', t + 1, {
      ...{ type: 'published', attempt: `${value} ${t}`, outcome, code: '' },
      revision: revision === null ? '' : String(revision),
    }),
  ];
}

/** What etcd has of the publications: all that was accepted. */
function truthOf(notes: readonly ConfigNote[]): TrueEvent[] {
  const history = new TrueHistory();
  const values = new Map(
    notes.flatMap((one) => (one.type === 'publishing' ? [[one.attempt, one.value]] : [])),
  );
  for (const one of notes) {
    if (one.type !== 'published' || one.outcome !== 'accepted') continue;
    history.put(LIVE, values.get(one.attempt), { revision: BigInt(one.revision) });
  }
  return history.truth;
}

const faultsIn = (notes: readonly ConfigNote[], more: readonly TrueEvent[] = []) =>
  configFaults(notes, { truth: [...truthOf(notes), ...more] });

const applied = (process: string, t: number, revision: number, value: string) =>
  note(process, t, { type: 'applied', revision: String(revision), value, source: 'etcd' });
const read = (process: string, t: number, revision: number, value: string, more: object = {}) =>
  note(process, t, {
    ...{ type: 'read', revision: String(revision), value, source: 'etcd' },
    ...{ synced: true, ageMs: 0 },
    ...more,
  });

const published = [...publication(10, 'a', 5), ...publication(20, 'b', 8)];
const good = [
  ...published,
  ...publication(30, 'bad', 9, { valid: false, via: 'raw' }),
  ...publication(31, 'worse', null, { valid: false, outcome: 'refused' }),
  ...[read('0.0', 5, 0, 'default'), applied('0.0', 12, 5, 'a'), applied('0.0', 22, 8, 'b')],
  note('0.0', 32, { type: 'rejected', revision: '9', code: 'CONFIG_INVALID' }),
  ...[read('0.0', 40, 8, 'b'), applied('1.0', 22, 8, 'b')],
];

describe('configFaults', () => {
  it('are none of a good history', () => {
    expect(faultsIn(good)).toEqual([]);
  });

  const found = (...notes: ConfigNote[]) => faultsIn([...good, ...notes]);

  it('find a value older than the last', () => {
    expect(found(applied('0.0', 50, 5, 'a'))).toEqual([
      'limits: Process 0.0 was back at revision 5 at 50.000, after 8.',
    ]);
    expect(found(read('1.0', 50, 0, 'default'))).toHaveLength(1);
    // Another process may be behind, and a new one may begin with its snapshot.
    expect(found(applied('1.1', 50, 5, 'a'))).toEqual([]);
  });

  it('find one that does not validate, that nobody published, and that was refused', () => {
    expect(found(applied('0.0', 50, 9, 'bad'))[0]).toMatch(/which does not validate/);
    expect(found(applied('0.0', 50, 9, 'x'))[0]).toMatch(/nobody published/);
    const refused = publication(60, 'r', null, { outcome: 'refused' });
    expect(found(...refused, applied('0.0', 70, 9, 'r'))[0]).toMatch(/which was refused/);
    const early = publication(60, 'e', 10);
    expect(found(...early, applied('0.0', 50, 10, 'e'))[0]).toMatch(/before it was published/);
  });

  it('find two values of one revision', () => {
    expect(found(applied('1.0', 50, 8, 'a'))).toEqual([
      'limits: Process 1.0 showed a of revision 8, which is b.',
    ]);
    const unknown = publication(60, 'u', null, { outcome: 'unknown' });
    expect(found(...unknown, applied('0.0', 70, 12, 'u'))).toEqual([]);
  });

  it('find an invalid value that the store published', () => {
    expect(found(...publication(60, 'i', 11, { valid: false }))).toHaveLength(1);
  });

  it('find an answer that is not true of etcd', () => {
    const refused = publication(60, 'r', null, { outcome: 'refused' });
    const { truth } = new TrueHistory().put(LIVE, 'r', { revision: 100n });
    expect(faultsIn(refused, truth)).toEqual([
      expect.stringMatching(/published r through store, was refused .* has it at revision 100/),
    ]);
    expect(configFaults(publication(60, 'a', 10), { truth })).toEqual([
      expect.stringMatching(/was accepted, and etcd lacks it at revision 10/),
    ]);
  });

  it('take what was rolled back to for published, by whichever of the two', () => {
    const back = publication(60, 'a', 12, { via: 'rollback' });
    expect(found(...back, applied('0.0', 70, 12, 'a'))).toEqual([]);
    const late = read('2.0', 8000, 8, 'b', { ageMs: 100 });
    expect(faultsIn([...published, ...back, late])).toEqual([
      expect.stringMatching(/revision 12 had been published/),
    ]);
  });

  it('find a stale read after a bad attempt that nobody answered and that etcd has not', () => {
    const unknown = publication(30, 'bad', null, { valid: false, via: 'raw', outcome: 'unknown' });
    const late = read('1.0', 8000, 5, 'a', { ageMs: 100 });
    expect(faultsIn([...published, ...unknown, late])).toHaveLength(1);
    const { truth } = new TrueHistory().put(LIVE, 'bad', { revision: 100n });
    expect(faultsIn([...published, ...unknown, late], truth)).toEqual([]);
    // What was written though nobody said so counts as published from when etcd told it.
    const silent = publication(30, 'c', null, { outcome: 'unknown' });
    const read8 = read('1.0', 8000, 8, 'b', { ageMs: 100 });
    const written = new TrueHistory().put(LIVE, 'c', { revision: 100n }).truth;
    expect(faultsIn([...published, ...silent, read8], written)).toHaveLength(1);
    expect(faultsIn([...published, ...silent, read8])).toEqual([]);
  });

  it('find one that calls itself fresh and is not', () => {
    const late = read('1.0', 8000, 5, 'a', { ageMs: 100 });
    expect(faultsIn([...published, late])).toEqual([
      expect.stringMatching(/read revision 5 .* 100 ms old, and revision 8 had been published/),
    ]);
    // It says that it is old, or has just missed it.
    const old = read('1.0', 8000, 5, 'a', { ageMs: 5000 });
    const unsynced = read('1.0', 8000, 5, 'a', { synced: false });
    const unread = read('1.0', 8000, 5, 'a', { ageMs: null });
    expect(faultsIn([...published, old, unsynced, unread])).toEqual([]);
    expect(faultsIn([...published, read('1.0', 6000, 5, 'a')])).toEqual([]);
    // What it missed had been spoiled by a bad push before it was back; one before that is no excuse.
    const spoilt = publication(30, 'bad', 9, { valid: false, via: 'raw' });
    expect(faultsIn([...published, ...spoilt, late])).toEqual([]);
    // It is known by a list that was asked for before that, and answered after it.
    const meanwhile = publication(7950, 'bad', 9, { valid: false, via: 'raw' });
    expect(faultsIn([...published, ...meanwhile, late])).toEqual([]);
    const after = publication(8050, 'bad', 9, { valid: false, via: 'raw' });
    expect(faultsIn([...published, ...after, late])).toHaveLength(1);
    const before = publication(15, 'bad', 7, { valid: false, via: 'raw' });
    expect(faultsIn([...published, ...before, late])).toHaveLength(1);
  });
});

describe('awaitedConfigs', () => {
  const await_ = (notes: ConfigNote[], survivors = ['0.0', '1.0']) =>
    awaitedConfigs(notes, { truth: truthOf(notes), survivors });

  it('are those that are not at the last good value', () => {
    expect(await_(good)).toEqual([]);
    const behind = [...good, ...publication(50, 'c', 20)];
    expect(await_(behind)).toHaveLength(2);
    expect(await_([...behind, read('0.0', 60, 20, 'c')], ['0.0'])).toEqual([]);
    expect(await_(good, ['2.0'])).toEqual(['limits: Process 2.0 has not applied any value.']);
    // An answer was lost, and one of them has it.
    const unknown = [...good, applied('0.0', 60, 30, 'd')];
    expect(await_(unknown)).toHaveLength(1);
  });
});
