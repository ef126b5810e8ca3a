import { describe, expect, it } from 'vitest';
import { generatedHistory, type Recipe } from './generated-history.js';
import { judgeRegisters } from './register-verdicts.js';
import type { RegisterCall, RegisterNote } from '../register-notes.js';

type Outcome = 'ok' | 'failed' | 'unknown';

let count = 0;

/** A call from one moment to another, by a process of its own. */
function op(
  from: number,
  to: number,
  call: RegisterCall,
  result: string | null = null,
  outcome: Outcome | null = 'ok',
  register = 'r',
): RegisterNote[] {
  const operation = `o${(count += 1)}`;
  const common = { process: `${count}.0`, work: 'registers', operation, register };
  const invoked: RegisterNote = { ...common, t: from, type: 'invoked', ...call };
  if (!outcome) return [invoked];
  return [
    invoked,
    { ...common, t: to, type: 'returned', outcome, ...(outcome === 'ok' && { result }) },
  ];
}

const write = (from: number, to: number, value: string, outcome: Outcome | null = 'ok') =>
  op(from, to, { call: 'write', value }, null, outcome);
const read = (from: number, to: number, value: string | null) =>
  op(from, to, { call: 'read' }, value);
const cas = (
  from: number,
  to: number,
  expected: string | null,
  value: string,
  result: boolean | null,
) =>
  op(
    from,
    to,
    { call: 'cas', expected, value },
    String(result),
    result === null ? 'unknown' : 'ok',
  );
const add = (from: number, to: number, by: number, sum: string | null) =>
  op(from, to, { call: 'add', by }, sum, sum === null ? 'unknown' : 'ok');

const faults = (...operations: RegisterNote[][]) => {
  const { faults: found, undecided } = judgeRegisters(operations.flat());
  expect(undecided).toEqual([]);
  return found;
};

describe('a linearizable register', () => {
  it('is null until it is written', () => {
    expect(faults(read(0, 1, null), write(2, 3, 'a'), read(4, 5, 'a'))).toEqual([]);
  });

  it('may be read either way while it is written', () => {
    expect(faults(write(0, 10, 'a'), read(1, 2, null), read(3, 4, 'a'))).toEqual([]);
  });

  it('may take an unknown write long afterwards, or never', () => {
    expect(faults(write(0, 1, 'a', 'unknown'), read(2, 3, null), read(4, 5, 'a'))).toEqual([]);
    expect(faults(write(0, 1, 'a', 'unknown'), read(2, 3, null), read(4, 5, null))).toEqual([]);
    expect(faults(write(0, 1, 'a', null), read(2, 3, null), read(4, 5, 'a'))).toEqual([]);
  });

  it('may have a compare-and-set fail for an unknown write that nobody read', () => {
    const unknown = write(0, 1, 'a', 'unknown');
    expect(faults(unknown, cas(2, 3, null, 'b', false))).toEqual([]);
    expect(faults(unknown, cas(2, 3, null, 'b', false), read(4, 5, null))).toHaveLength(1);
    expect(faults(cas(0, 1, null, 'a', null), cas(2, 3, null, 'b', false))).toEqual([]);
    // One that was called after it cannot be why.
    expect(faults(cas(2, 3, null, 'b', false), write(4, 5, 'a', 'unknown'))).toHaveLength(1);
  });

  it('may have a compare-and-set fail for a write that nobody read', () => {
    const races = [write(0, 9, 'a'), write(0, 5, 'b')];
    expect(faults(...races, cas(6, 8, 'b', 'c', false), read(10, 11, 'a'))).toEqual([]);
    expect(faults(...races, cas(6, 8, 'b', 'c', false), write(10, 11, 'd'))).toEqual([]);
  });

  it('may have come by its value over several unknown operations', () => {
    const unknown = [cas(0, 1, 'a', 'b', null), cas(0, 1, 'b', 'c', null)];
    expect(faults(...unknown, write(0, 1, 'a', 'unknown'), read(2, 3, 'c'))).toEqual([]);
    expect(faults(...unknown, read(2, 3, 'c'))).toHaveLength(1);
  });

  it('is another one than the next', () => {
    const other = op(2, 3, { call: 'read' }, null, 'ok', 'other');
    expect(faults(write(0, 1, 'a'), other)).toEqual([]);
  });
});

describe('judgeRegisters', () => {
  it('finds a stale read, and says which', () => {
    const [found] = faults(write(0, 1, 'a'), write(2, 3, 'b'), read(4, 5, 'a'), read(6, 7, 'b'));
    expect(found).toMatch(/^r: the value was "a" .*read "a" \(4\.000 to 5\.000\)/);
  });

  it('finds two reads that disagree on the order', () => {
    expect(faults(write(0, 9, 'a'), read(1, 2, 'a'), read(3, 4, null))).toHaveLength(1);
    const both = [write(0, 9, 'a'), write(0, 9, 'b')];
    expect(faults(...both, read(1, 2, 'a'), read(3, 4, 'b'), read(5, 6, 'a'))).toHaveLength(1);
  });

  it('finds a lost write, a write that had failed, and one that nobody made', () => {
    expect(faults(write(0, 1, 'a'), read(2, 3, null))).toHaveLength(1);
    expect(faults(write(0, 1, 'a', 'failed'), read(2, 3, 'a'))).toHaveLength(1);
    expect(faults(read(2, 3, 'a'))).toHaveLength(1);
    expect(faults(read(0, 1, 'a'), write(2, 3, 'a', 'unknown'))).toHaveLength(1);
  });

  it('finds an unknown write that took effect twice', () => {
    const unknown = write(0, 1, 'a', 'unknown');
    const notes = [unknown, read(2, 3, 'a'), write(4, 5, 'b'), read(6, 7, 'a')];
    expect(faults(...notes)).toHaveLength(1);
  });

  it('finds a compare-and-set that took place on another value, or did not on its own', () => {
    expect(faults(write(0, 1, 'a'), cas(2, 3, null, 'b', true))).toHaveLength(1);
    expect(faults(write(0, 1, 'a'), cas(2, 3, 'a', 'b', false))).toHaveLength(1);
    expect(faults(cas(0, 1, null, 'a', true), cas(0, 1, null, 'b', true))).toHaveLength(1);
  });

  it('finds what only a search for an order does, and names the first that cannot be', () => {
    const races = [write(0, 9, 'a'), write(0, 9, 'b'), write(0, 9, 'c')];
    const two = [cas(1, 8, 'a', 'd', true), cas(1, 8, 'b', 'e', true), read(10, 11, 'c')];
    expect(faults(...races, ...two)).toEqual([]);
    const [found] = faults(
      ...races,
      ...two,
      read(12, 13, 'c'),
      cas(1, 14, 'c', 'f', true),
      read(16, 17, 'a'),
    );
    expect(found).toMatch(/read "a" \(16/);
    const [order] = faults(write(0, 9, 'a'), cas(0, 9, 'a', 'b', true), cas(0, 9, 'a', 'c', true));
    expect(order).toContain('no order of the operations until then explains that');
  });

  it('gives up, and says so, rather than calling it fine', () => {
    const { faults: found, undecided } = judgeRegisters(generatedHistory(recipe(1)), 10);
    expect(found).toEqual([]);
    expect(undecided).toEqual([expect.stringMatching(/^Whether r is linearizable took more work/)]);
  });
});

describe('a counter', () => {
  it('answers with its sums', () => {
    expect(faults(add(0, 9, 1, '3'), add(0, 9, 2, '2'), op(10, 11, { call: 'read' }, '3'))).toEqual(
      [],
    );
  });

  it('may have taken some of the unknown additions', () => {
    const unknown = [add(0, 1, 2, null), add(0, 1, 3, null), add(0, 1, 2, null)];
    expect(faults(...unknown, add(2, 3, 1, '6'))).toEqual([]);
    expect(faults(...unknown, add(2, 3, 1, '3'), add(4, 5, 1, '6'))).toEqual([]);
    expect(faults(...unknown, add(2, 3, 1, '2'))).toHaveLength(1);
    expect(faults(...unknown, add(2, 3, 1, '9'))).toHaveLength(1);
  });

  it('does not lose, repeat or reorder an addition', () => {
    expect(faults(add(0, 1, 1, '1'), add(2, 3, 1, '1'))).toHaveLength(1);
    expect(faults(add(0, 1, 1, '1'), add(2, 3, 1, '3'))).toHaveLength(1);
    expect(faults(add(0, 1, 1, '2'), add(2, 3, 1, '1'))).toHaveLength(1);
  });
});

function recipe(seed: number, more: Partial<Recipe> = {}): Recipe {
  return { seed, operations: 2000, clients: 15, ambiguous: 0.05, kind: 'register', ...more };
}

describe('two thousand operations of fifteen clients, one in twenty ambiguous', () => {
  it.each(['register', 'counter'] as const)('of a %s are decided', (kind) => {
    for (const seed of [1, 2]) {
      expect(judgeRegisters(generatedHistory(recipe(seed, { kind })))).toEqual({
        ...{ faults: [], undecided: [] },
      });
    }
  });

  it.each(['register', 'counter'] as const)('of a %s are decided with a stale read', (kind) => {
    const notes = generatedHistory(recipe(7, { kind }));
    const reads = notes.flatMap((note) =>
      note.type === 'invoked' && note.call === 'read' ? [note.operation] : [],
    );
    const ends = notes.filter((note) => note.type === 'returned' && reads.includes(note.operation));
    // What was read a hundred reads before.
    const [old, bad] = [ends.at(-150)!, ends.at(-50)!];
    const stale = notes.map((note) =>
      note === bad ? { ...bad, result: Reflect.get(old, 'result') } : note,
    );
    const { faults: found, undecided } = judgeRegisters(stale);
    expect(undecided).toEqual([]);
    expect(found).toHaveLength(1);
  });
});
