import { describe, expect, it } from 'vitest';
import type { BatchNote } from './batch-notes.js';
import { batchedReadFaults, batchedWriteFaults } from './batch-writes.js';
import { TrueHistory } from './evidence-builder.js';

const note = (type: BatchNote['type'], more: object, process = '0.0') =>
  ({ t: 1, process, work: 'batches', type, ...more }) as unknown as BatchNote;
const KEY = 'batched/0.0/a';
const asked = (...writes: number[]) => writes.map((write) => note('writing', { write, key: KEY }));
const written = (write: number, revision: number) =>
  note('written', { write, revision: `${revision}` });
const failed = (write: number, outcome: string) => note('failed', { write, outcome, code: 'X' });

describe('writes', () => {
  // Revisions 2, 3, 4.
  const history = new TrueHistory().put(KEY, '0.0/1').put(KEY, '0.0/2').put(KEY, '0.0/4');
  const faultsIn = (notes: BatchNote[], { truth } = history) =>
    batchedWriteFaults(notes, { truth });
  const good = [...asked(1, 2, 3, 4), written(1, 2), failed(2, 'unknown'), failed(3, 'refused')];

  it('may have failed, or be unknown, told or not', () => {
    expect(faultsIn(good)).toEqual([]);
    expect(faultsIn([...good, written(4, 4)])).toEqual([]);
  });

  it.each<[string, BatchNote[], RegExp]>([
    ['are lost', [...asked(5), written(5, 9)], /0\.0\/5 was acknowledged at 9, and etcd lacks/],
    ['are told at another revision', [written(4, 3)], /0\.0\/4 .* at 3, and etcd has it at 4/],
    [
      'are refused and there',
      [failed(4, 'refused')],
      /0\.0\/4 was refused with X, and etcd has it/,
    ],
  ])('%s', (_, more, fault) => {
    expect(faultsIn([...good, ...more])).toEqual([expect.stringMatching(fault)]);
  });

  it('are there twice, unasked for, or out of order', () => {
    const twice = new TrueHistory().put(KEY, '0.0/1').put(KEY, '0.0/1');
    expect(faultsIn(asked(1), twice)).toEqual([
      expect.stringContaining('applied 2 times, at 2, 3'),
    ]);
    expect(faultsIn(asked(1, 2))).toEqual([expect.stringContaining('nobody asked for it')]);
    const late = new TrueHistory().put(KEY, '0.0/2').put(KEY, '0.0/1');
    expect(faultsIn(asked(1, 2), late)).toEqual([expect.stringContaining('asked for later')]);
  });
});

describe('reads', () => {
  const reading = (read: number) => note('reading', { read, key: KEY });
  const read = (number: number, value: string | null) => note('read', { read: number, value });

  it('show what was acknowledged before, or anything asked for since', () => {
    const begun = [...asked(1), reading(1), read(1, null), written(1, 2), reading(2), ...asked(2)];
    expect(batchedReadFaults([...begun, read(2, '0.0/1')])).toEqual([]);
    expect(batchedReadFaults([...begun, read(2, '0.0/2')])).toEqual([]);
    expect(batchedReadFaults([...begun, read(2, null)])).toEqual([
      expect.stringContaining('read nothing in batched/0.0/a, and write 1 had been acknowledged'),
    ]);
    expect(batchedReadFaults([...begun, read(2, '0.0/3')])).toEqual([
      expect.stringContaining('nobody had asked for'),
    ]);
  });

  it('of an earlier moment may be answered late', () => {
    const notes = [...asked(1), reading(1), written(1, 2), read(1, null)];
    expect(batchedReadFaults(notes)).toEqual([]);
  });
});
