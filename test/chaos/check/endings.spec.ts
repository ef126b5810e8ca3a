import { describe, expect, it } from 'vitest';
import type { LifeNote, NemesisNote } from '../history/note.js';
import { counterFaults } from './counter-sums.js';
import { evidence, TrueHistory } from './evidence-builder.js';
import { lifeFaults } from './life-faults.js';
import type { OwnershipNote } from './ownership.js';
import type { RegisterNote } from './register-notes.js';
import { shutdownFaults } from './shutdown.js';
import { takeOvers, takeOverSamples } from './take-overs.js';

const life = (process: string, t: number, type: string, more: object = {}) =>
  ({ process, t, work: 'life', type, ...more }) as unknown as LifeNote;
const own = (process: string, t: number, type: string, token: string) =>
  ({ process, t, work: 'locks', of: 'lock/a', type, token }) as unknown as OwnershipNote;

describe('shutdownFaults', () => {
  const closed = [life('0.0', 10, 'closing'), life('0.0', 20, 'closed')];
  const owned = [own('0.0', 5, 'granted', '2'), own('0.0', 6, 'valid', '2')];
  const history = () => new TrueHistory().put('lock/a/1', 'x', { lease: '77' });
  const ended = new Map([['0.0', 0]]);

  it('are none of a process that closed, handed over and ended', () => {
    const { truth } = history().delete('lock/a/1');
    expect(
      shutdownFaults(owned, evidence({ notes: { life: closed }, ends: ended, truth })),
    ).toEqual([]);
  });

  it('find one that had to be killed, failed, or ended without a word', () => {
    const faults = (code: number | null, notes = closed) =>
      shutdownFaults([], evidence({ notes: { life: notes }, ends: new Map([['0.0', code]]) }));
    expect(faults(0)).toEqual([]);
    expect(faults(null)).toEqual([expect.stringMatching(/had to be killed/)]);
    expect(faults(1)).toEqual([expect.stringMatching(/with code 1/)]);
    const started = life('0.0', 5, 'started');
    expect(faults(0, [started])).toEqual([expect.stringMatching(/before it had closed/)]);
    expect(faults(0, [started, ...closed])).toEqual([]);
    expect(faults(0, [])).toEqual([]);
  });

  it('find an owner that was closed', () => {
    const late = [...owned, own('0.0', 21, 'valid', '2')];
    expect(shutdownFaults(late, evidence({ notes: { life: closed } }))).toHaveLength(1);
  });

  it('find a key that was left behind, whose ever', () => {
    const { truth, finalList } = history();
    const given = { notes: { life: closed }, ends: ended, truth, finalList };
    expect(shutdownFaults(owned, evidence(given))).toEqual([
      'Process 0.0 ended and left key lock/a/1 behind.',
    ]);
    // A lock's token has the number of the grant behind its key besides.
    const byTurn = [own('0.0', 5, 'granted', `${(2n << 20n) | 3n}`)];
    expect(shutdownFaults(byTurn, evidence(given))).toEqual([
      'Process 0.0 ended and left key lock/a/1 behind.',
    ]);
    expect(shutdownFaults([], evidence(given))).toEqual([
      'Key lock/a/1 was left behind, on the lease 77.',
    ]);
  });

  it('do not hold the key of a killed process against anybody', () => {
    const { truth, finalList } = history();
    const killed = new Set(['0.0']);
    expect(shutdownFaults(owned, evidence({ truth, finalList, killed }))).toEqual([]);
    const notes = { life: [life('3.0', 2, 'started')] };
    const other = { notes, truth, finalList, killed: new Set(['3.0']) };
    expect(shutdownFaults([], evidence(other))).toEqual([]);
    // It came after the last word of all who were killed.
    const before = { notes: { life: [life('3.0', 1, 'started')] } };
    expect(shutdownFaults([], evidence({ ...other, ...before }))).toHaveLength(1);
  });
});

describe('lifeFaults', () => {
  it('are the errors that nobody should see', () => {
    const notes = [life('0.0', 1, 'started'), life('0.0', 2, 'fault', { message: 'TypeError: x' })];
    expect(lifeFaults(notes)).toEqual(['0.0 at 2.000: TypeError: x']);
  });
});

describe('counterFaults', () => {
  const add = (operation: string, by: number, outcome: 'ok' | 'failed' | 'unknown') =>
    [
      { type: 'invoked', call: 'add', by },
      { type: 'returned', outcome, result: '1' },
    ].map((more, t) => ({
      ...{ t, process: '0.0', work: 'registers', operation, register: 'counter/a' },
      ...more,
    })) as unknown as RegisterNote[];
  const notes = [...add('a', 2, 'ok'), ...add('b', 3, 'unknown'), ...add('c', 5, 'failed')];
  const faults = (sum: string | null) => {
    const history = new TrueHistory();
    if (sum !== null) history.put('counter/a', sum);
    return counterFaults(notes, history);
  };

  it('are none between what is certain and what may be', () => {
    expect(faults('2')).toEqual([]);
    expect(faults('5')).toEqual([]);
  });

  it('find increments that were lost, and those that were applied twice', () => {
    expect(faults('1')).toEqual([expect.stringMatching(/increments were lost/)]);
    expect(faults(null)).toHaveLength(1);
    expect(faults('6')).toEqual([expect.stringMatching(/no more than 5 was ever added/)]);
  });
});

describe('takeOvers', () => {
  const begun = (t: number, kind: string, ...targets: string[]) =>
    ({
      ...{ t, process: 'run', work: 'nemesis', type: 'fault-begun' },
      fault: kind,
      kind,
      targets,
    }) as NemesisNote;
  const history = [
    ...[own('0.0', 5, 'granted', '2'), own('0.0', 9, 'valid', '2')],
    ...[own('1.0', 2500, 'granted', '7'), own('1.0', 2600, 'released', '7')],
  ];

  it('are from the fault to the next grant', () => {
    const found = takeOvers(history, [begun(10, 'kill holder', '0.0')], []);
    const first = { kind: 'kill holder', of: 'lock/a', from: '0.0', to: '1.0', ms: 2490 };
    expect(found).toEqual([first]);
    expect(takeOverSamples(found)).toEqual({ 'kill holder': [2490] });
    expect(takeOvers(history, [], [life('0.0', 2499, 'closing')])[0]).toMatchObject({
      ...{ kind: 'close', ms: 1 },
    });
  });

  it('are none where no owner was hit, or it came through', () => {
    expect(takeOvers(history, [begun(10, 'kill worker', '1.0')], [])).toEqual([]);
    expect(takeOvers(history, [begun(2700, 'kill worker', '1.0')], [])).toEqual([]);
    const through = [...history, own('0.0', 1000, 'valid', '2')];
    expect(takeOvers(through, [begun(10, 'freeze holder', '0.0')], [])).toEqual([]);
  });
});
