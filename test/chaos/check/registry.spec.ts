import { describe, expect, it } from 'vitest';
import type { Note } from '../history/note.js';
import { awaitedInstances } from './awaited-instances.js';
import { deadInEtcdFaults, listedDeadFaults } from './dead-instances.js';
import { evidence, TrueHistory } from './evidence-builder.js';
import type { Evidence, TrueEvent } from './evidence.js';
import type { ListedInstance, RegistryNote } from './registry-notes.js';
import { callFaults } from './service-calls.js';
import { shownListFaults } from './shown-lists.js';

const OF = { service: 'peers', settleMs: 1000 };
const key = (id: string) => `registry/peers/instance/${id}`;

const note = (process: string, t: number, more: object) =>
  ({ t, process, work: 'registry', ...more }) as unknown as RegistryNote;

type Shown = ListedInstance | readonly [id: string, revision: number];
const listOf = (list: readonly Shown[]) =>
  list.map(([id, revision, state = 'up', isProtected = false]) => [
    ...[id, String(revision), state],
    isProtected,
  ]);
const listed = (process: string, t: number, ...list: Shown[]) =>
  note(process, t, { type: 'listed', list: listOf(list) });
const looked = (process: string, t: number, list: readonly Shown[], more: object = {}) =>
  note(process, t, {
    ...{ type: 'looked', list: listOf(list), ageMs: 0, heldUpMs: 0, registered: true },
    ...more,
  });

/** Revisions 2 and 3, and both gone at 4 and 5; each told a second after the one before. */
const twoThatGo = new TrueHistory()
  .put(key('1.0'), '', { lease: '71' })
  .put(key('2.0'), '', { lease: '72' })
  .delete(key('1.0'))
  .delete(key('2.0'));
const truth = twoThatGo.truth.map((event) => ({ ...event, t: Number(event.revision) * 1000 }));

const fault = (kind: string, targets: readonly string[], from: number, to: number): Note[] =>
  [
    { type: 'fault-begun', fault: `${kind} 1`, kind, targets, t: from },
    { type: 'fault-over', fault: `${kind} 1`, hit: true, t: to },
  ].map((one) => ({ ...one, process: 'run', work: 'nemesis' }));

describe('the lists that are shown', () => {
  const faultsIn = (notes: readonly RegistryNote[], of: readonly TrueEvent[] = truth) =>
    shownListFaults(notes, evidence({ truth: of }), OF);

  it('may be all that etcd held, in that order, with some left out', () => {
    const good = [
      ...[listed('0.0', 1), listed('0.0', 2000, ['1.0', 2]), looked('0.0', 2500, [['1.0', 2]])],
      ...[listed('0.0', 3000, ['1.0', 2], ['2.0', 3]), listed('0.0', 5000)],
    ];
    expect(faultsIn(good)).toEqual([]);
  });

  it('are empty only where etcd has none', () => {
    const emptied = [listed('0.0', 3000, ['1.0', 2], ['2.0', 3]), looked('0.0', 3500, [])];
    expect(faultsIn(emptied, truth.slice(0, 2))).toEqual([
      'The list of 0.0 at 3500.000 showed no instance at all, and etcd was not without any at any revision from 3 on.',
    ]);
  });

  it('are not those of the future', () => {
    const emptied = [listed('0.0', 2000, ['1.0', 2]), listed('0.0', 3500)];
    expect(faultsIn(emptied)).toHaveLength(1);
    // What the raw watch was told late may have been before.
    const nemesis = fault('isolate leader', ['member-1'], 1000, 6000);
    expect(shownListFaults(emptied, evidence({ truth, notes: { nemesis } }), OF)).toEqual([]);
  });

  it('do not bring back what was gone', () => {
    const back = [listed('0.0', 4000, ['2.0', 3]), listed('0.0', 4100, ['1.0', 2], ['2.0', 3])];
    expect(faultsIn(back)).toEqual([
      'The list of 0.0 at 4100.000 went back to what etcd had at revision 3, after that of 4.',
    ]);
  });

  it('lack nobody, and have nobody that never was, or twice', () => {
    expect(faultsIn([listed('0.0', 3000, ['9.0', 2])])).toEqual([
      'The list of 0.0 at 3000.000 showed 9.0@2, and etcd did not hold that at any revision from 0 on.',
    ]);
    expect(faultsIn([listed('0.0', 2000, ['1.0', 2], ['1.0', 2])])[0]).toContain(
      'showed 1.0 more than once',
    );
  });

  it('have those besides that are protected', () => {
    const kept: Shown[] = ['8.9', '9.9'].map((id) => [id, '1', 'up', true]);
    expect(faultsIn([listed('0.0', 4000, ['2.0', 3], ...kept)])).toEqual([]);
  });
});

describe('the dead in a list', () => {
  const still: Shown[] = [['1.0', 2]];
  const faultsIn = (look: RegistryNote, nemesis: readonly Note[] = []) =>
    listedDeadFaults([look], evidence({ truth, notes: { nemesis } }), OF);

  it('are there no longer than promised where nothing was done', () => {
    expect(faultsIn(looked('0.0', 4600, still))).toEqual([]);
    expect(faultsIn(looked('0.0', 4800, still))).toEqual([
      'The list of 0.0 at 4800.000 had 1.0 of revision 2, which was gone from etcd at 4000.000, more than 700 ms before, and nothing kept it from etcd.',
    ]);
    expect(faultsIn(looked('0.0', 4800, [['1.0', '2', 'up', true]]))).toEqual([]);
  });

  it('may be there longer in a process that could not hear of it', () => {
    const look = looked('0.0', 4800, still);
    expect(faultsIn(look, fault('cut off both ways', ['0.0'], 3900, 4100))).toEqual([]);
    expect(faultsIn(look, fault('cut off both ways', ['0.0'], 1000, 2000))).toHaveLength(1);
    expect(faultsIn(look, fault('cut off both ways', ['3.0'], 3900, 4100))).toHaveLength(1);
    expect(faultsIn(look, fault('kill leader', ['member-1'], 3900, 4100))).toEqual([]);
    expect(faultsIn(looked('0.0', 4800, still, { heldUpMs: 600 }))).toEqual([]);
  });

  it('are in none that calls itself younger, whatever was done', () => {
    const nemesis = fault('cut off both ways', ['0.0'], 3900, 20_000);
    expect(faultsIn(looked('0.0', 14_000, still, { ageMs: 3000 }), nemesis)).toEqual([
      expect.stringContaining(
        'which was gone from etcd at 4000.000, and called itself 3000 ms old',
      ),
    ]);
    expect(faultsIn(looked('0.0', 14_000, still, { ageMs: 9500 }), nemesis)).toEqual([]);
    expect(faultsIn(looked('0.0', 14_000, still, { ageMs: null }), nemesis)).toEqual([]);
  });
});

describe('the dead in etcd', () => {
  const life = (process: string, type: string, t: number): Note => ({
    ...{ process, type, t, work: 'life' },
  });
  const faultsIn = (given: Partial<Evidence>, notes: Record<string, readonly Note[]>) =>
    deadInEtcdFaults(evidence({ truth, ...given, notes }), OF);
  const killed = new Set(['1.0']);
  const kill = (t: number) => fault('kill worker', ['1.0'], t - 10, t);
  const run = [life('0.0', 'closed', 60_000)];
  const goneAt = (t: number) =>
    truth.slice(0, 3).map((event) => (event.type === 'delete' ? { ...event, t } : event));

  it('are gone when their lease must have run out', () => {
    const notes = { nemesis: kill(10_000), life: run };
    expect(faultsIn({ killed, truth: goneAt(14_400) }, notes)).toEqual([]);
    expect(faultsIn({ killed, truth: goneAt(14_600) }, notes)).toEqual([
      'The instance 1.0, dead since 10000.000, was gone from etcd only at 14600.000; its lease must have run out by 13500.000.',
    ]);
    expect(faultsIn({ killed, truth: truth.slice(0, 2) }, notes)).toEqual([
      expect.stringContaining('was still in etcd at 60000.000'),
    ]);
  });

  it('have their time anew with each leader, and with what a fault held back', () => {
    const etcd = [{ process: 'run', work: 'etcd', type: 'term', t: 13_000 }];
    const given = { killed, truth: goneAt(17_400) };
    expect(faultsIn(given, { nemesis: kill(10_000), life: run, etcd })).toEqual([]);
    expect(
      faultsIn(given, { nemesis: kill(10_000), life: run, etcd: [{ ...etcd[0]!, t: 9000 }] }),
    ).toHaveLength(1);
    const cut = fault('cut off both ways', ['1.0'], 9000, 13_000);
    expect(faultsIn(given, { nemesis: [...cut, ...kill(10_000)], life: run })).toEqual([]);
  });

  it('have left nothing if they ended in order', () => {
    const closed = { life: [life('1.0', 'closed', 3000)] };
    expect(faultsIn({ healedAt: 1000, truth: truth.slice(0, 3) }, closed)).toEqual([]);
    expect(faultsIn({ healedAt: 1000, truth: truth.slice(0, 2) }, closed)).toEqual([
      'The instance 1.0 was still in etcd when its process had closed, at 3000.000.',
    ]);
  });

  it('and the living stand on leases of their own', () => {
    const strays = new TrueHistory()
      .put(key('1.0'), '', { lease: '71' })
      .put(key('2.0'))
      .put(key('3.0'), '', { lease: '71' });
    expect(faultsIn({ truth: strays.truth }, {})).toEqual([
      'The instance 2.0 of revision 3 stood on no lease.',
      'The instance 3.0 of revision 4 stood on the lease 71, which is that of 1.0.',
    ]);
  });
});

describe('a call that failed', () => {
  const both: Shown[] = [
    ['1.0', 2],
    ['2.0', 3],
  ];
  const call = (from: number, to: number) => [
    note('0.0', from, { type: 'calling', call: 1 }),
    note('0.0', to, { type: 'failed', call: 1, code: 'NO_INSTANCE', message: 'none' }),
  ];
  const runs = (process: string, more: object = {}) => [
    looked(process, 900, both),
    looked(process, 1500, both, more),
    looked(process, 2500, both),
  ];
  const bad = [...runs('0.0'), ...runs('1.0'), ...call(1000, 2000)];

  it('is one too many if somebody was listed who ran', () => {
    expect(callFaults(bad)).toEqual([
      'Call 1 of 0.0, from 1000.000 to 2000.000, failed with NO_INSTANCE (none), and 1.0 was listed as up and ran all the while.',
    ]);
  });

  it('is excused if nobody could have answered, or the caller stood still', () => {
    const stood = { heldUpMs: 400 };
    expect(callFaults([...runs('0.0'), ...runs('1.0', stood), ...call(1000, 2000)])).toEqual([]);
    expect(callFaults([...runs('0.0', stood), ...runs('1.0'), ...call(1000, 2000)])).toEqual([]);
    // It may have been killed, or stand still since.
    expect(callFaults([...runs('0.0'), ...runs('1.0').slice(0, 2), ...call(1000, 2000)])).toEqual(
      [],
    );
  });

  it.each([
    ['away', listed('0.0', 1200)],
    ['draining', listed('0.0', 1200, ['1.0', '2', 'draining', false])],
    ['protected', listed('0.0', 1200, ['1.0', '2', 'up', true])],
    [
      'one of more than can be tried',
      listed('0.0', 1200, ...both, ...Array.from({ length: 9 }, (_, i): Shown => [`${i}.7`, 9])),
    ],
  ])('is excused if whoever ran was %s in the list meanwhile', (_how, list) => {
    expect(
      callFaults([
        ...runs('0.0').slice(0, 1),
        list,
        ...runs('0.0').slice(1),
        ...runs('1.0'),
        ...call(1000, 2000),
      ]),
    ).toEqual([]);
  });
});

describe('after the healing', () => {
  const alive = { truth: truth.slice(0, 2), survivors: ['1.0', '2.0'] };
  const all: Shown[] = [
    ['1.0', 2],
    ['2.0', 3],
  ];
  const awaited = (notes: readonly RegistryNote[], given: Partial<Evidence> = {}) =>
    awaitedInstances(notes, { ...alive, ...given }, { service: 'peers', healedAt: 5000 });
  const right = [looked('1.0', 6000, all), looked('2.0', 6000, all)];

  it('everybody is in every list, and nobody else', () => {
    expect(awaited(right)).toEqual([]);
    const kept: Shown = ['3.0', '1', 'up', true];
    expect(awaited([right[0]!, looked('2.0', 6000, [...all, kept])])).toEqual([]);
    expect(awaited([right[0]!, looked('2.0', 6000, [...all, ['3.0', 1]])])).toEqual([
      'The list of 2.0 has 3.0, which is dead.',
    ]);
    expect(awaited([right[0]!, looked('2.0', 6000, [...all, ['1.0', 1]])])).toEqual([
      'The list of 2.0 has 1.0 2 times as up.',
    ]);
  });

  it('everybody has looked since, and calls itself registered', () => {
    expect(awaited([right[0]!, looked('2.0', 4000, all)])).toEqual([
      'Process 2.0 has not looked at its list since the healing.',
    ]);
    expect(awaited([right[0]!, looked('2.0', 6000, all, { registered: false })])).toEqual([
      'Process 2.0 does not call itself registered.',
    ]);
  });

  it('etcd has each of them, and none of the dead', () => {
    expect(awaited(right, { truth: truth.slice(0, 3) })).toEqual(['etcd has no instance 1.0.']);
    expect(awaited(right, { survivors: ['1.0'] })[0]).toBe('etcd has 2.0, which is dead.');
  });
});
