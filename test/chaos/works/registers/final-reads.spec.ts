import { expect, it } from 'vitest';
import { evidence, TrueHistory } from '../../check/evidence-builder.js';
import type { RegisterNote } from '../../check/register-notes.js';
import { registers } from './index.js';

const R = 'register/r0';
const write = (operation: string, t: number, outcome: 'ok' | 'unknown' = 'ok') => {
  const note = { process: '0.0', work: 'registers', operation, register: R };
  return [
    { ...note, t, type: 'invoked', call: 'write', value: operation },
    { ...note, t: t + 1, type: 'returned', outcome, result: null },
  ] as RegisterNote[];
};
const linearizable = (notes: RegisterNote[], ...values: string[]) => {
  const history = new TrueHistory().put('other', 'x');
  for (const value of values) history.put(R, value);
  const { finalList } = history;
  return registers.check(evidence({ notes: { registers: notes }, finalList })).linearizable;
};

it('finds a register that is at the end what its last write did not leave', () => {
  const notes = [...write('a', 1), ...write('b', 10)];
  expect(linearizable(notes, 'a', 'b')).toEqual([]);
  expect(linearizable(notes, 'a')).toEqual([
    expect.stringMatching(/^register\/r0: .*run read "a"/),
  ]);
  expect(linearizable(notes)).toHaveLength(1);
});

it('takes either for what nobody knows', () => {
  const notes = [...write('a', 1), ...write('b', 10, 'unknown')];
  expect(linearizable(notes, 'a')).toEqual([]);
  expect(linearizable(notes, 'a', 'b')).toEqual([]);
});

it('says nothing before there is a list', () => {
  const given = evidence({ notes: { registers: write('a', 1) } });
  expect(registers.check(given).linearizable).toEqual([]);
});
