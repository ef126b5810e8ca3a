import { describe, expect, it } from 'vitest';
import { evidence, TrueHistory } from './evidence-builder.js';
import { LIMIT, type LimitNote, SLOT_MS } from './limit-notes.js';
import { borrowerFaults, ownShareFaults, starvedFaults, sumFaults } from './limit-sums.js';
import { newMemberFaults } from './new-members.js';

const PREFIX = 'traffic/limit%2Fchaos/share/';
const FULL = (LIMIT * SLOT_MS) / 1000;
const slot = (process: string, number: number, more: Partial<LimitNote> = {}): LimitNote => ({
  ...{ process, work: 'limits', type: 'slot', slot: number, t: number * SLOT_MS },
  ...{ offered: FULL, confirmed: FULL / 2, unconfirmed: 0, least: 0.5, most: 0.5 },
  ...{ borrowed: 0, borrowedUnheard: 0, members: 2, isConfirmed: true },
  ...more,
});
const run = (length: number, more: Partial<LimitNote> = {}, processes = ['0.0', '1.0']) =>
  Array.from({ length }, (_, number) => processes.map((id) => slot(id, number, more))).flat();

describe('a limit of the fleet', () => {
  it('is kept if all together have the whole of it', () => {
    const notes = run(30);
    const faults = [sumFaults, ownShareFaults, starvedFaults];
    expect(faults.flatMap((of) => of(notes))).toEqual([]);
    expect(borrowerFaults(notes, evidence(), PREFIX)).toEqual([]);
  });

  it('is not kept if they let more through in a second', () => {
    expect(sumFaults(run(5, { confirmed: 45 }))).toEqual([
      'In the second from 0 all together let 450 calls through, of a limit of 400.',
    ]);
    expect(sumFaults(run(5, { confirmed: 0, unconfirmed: FULL }))).toEqual([]);
  });

  it('is not kept if two have the same part of it', () => {
    const lent = [...run(5), ...run(5, { confirmed: 0, least: 0.1 }, ['2.0'])];
    expect(sumFaults(lent)[0]).toContain('all together had 1.100 of the limit');
    expect(sumFaults([...run(5), ...run(4, { confirmed: 0, least: 0.1 }, ['2.0'])])).toEqual([]);
    const cutOff = run(5, { confirmed: 0, least: 0.1, isConfirmed: false }, ['2.0']);
    expect(sumFaults([...run(5), ...cutOff])).toEqual([]);
  });

  it('is not kept by one that lets more through than it has', () => {
    const notes = run(5, { unconfirmed: FULL / 4, confirmed: FULL / 2 }, ['0.0']);
    expect(ownShareFaults(notes)[0]).toContain('0.0 let 300 calls through');
  });

  it('is lent for seconds, and not to one that nobody hears', () => {
    const notes = run(40, { borrowedUnheard: 0.2, isConfirmed: false }, ['0.0']);
    expect(borrowerFaults(notes.slice(0, 11), evidence(), PREFIX)).toEqual([]);
    expect(borrowerFaults(notes, evidence(), PREFIX)[0]).toContain('0.0 had borrowed 0.200');
    // Another one's words do not help, nor one that is too old; its own do, although it did not hear them.
    const told = (process: string, t: number) => {
      const { truth } = new TrueHistory().put(`${PREFIX}${process}/ab`, '{}');
      return evidence({ truth: truth.map((event) => ({ ...event, t })) });
    };
    const last = notes.slice(0, 39).map((note) => ({ ...note, borrowedUnheard: 0 }));
    const late = [...last, notes[39]!];
    const at = 39 * SLOT_MS;
    expect(borrowerFaults(late, told('1.0', at - 1000), PREFIX)).toHaveLength(1);
    expect(borrowerFaults(late, told('0.0', at - 3700), PREFIX)).toHaveLength(1);
    expect(borrowerFaults(late, told('0.0', at - 1000), PREFIX)).toEqual([]);
  });

  it('leaves nobody with nothing', () => {
    expect(starvedFaults(run(25, { confirmed: 0 }, ['0.0']))).toEqual([]);
    expect(starvedFaults(run(26, { confirmed: 0, offered: 1 }, ['0.0']))).toEqual([]);
    expect(starvedFaults(run(26, { confirmed: 0 }, ['0.0']))).toEqual([
      '0.0 let nothing through for 5 s until 5000, though it was offered more than the limit.',
    ]);
  });

  it('gives a newcomer nothing before the others have heard of it', () => {
    const { truth } = new TrueHistory().put(`${PREFIX}0.0/ab`, '{}');
    const at = (t: number) => evidence({ truth: truth.map((event) => ({ ...event, t })) });
    const notes = run(5, {}, ['0.0']).map((note) => ({ ...note, slot: note.slot + 50 }));
    expect(newMemberFaults(notes, at(9900), PREFIX)).toEqual([]);
    expect(newMemberFaults(notes, at(9990), PREFIX)[0]).toContain('no time to hear of it');
  });
});
