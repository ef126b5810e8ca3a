import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RegisterNote } from '../register-notes.js';
import { generatedHistory, type Recipe } from './generated-history.js';
import { operationsOf, type Operation } from './operation.js';
import { judgeRegisters } from './register-verdicts.js';

const recipe: fc.Arbitrary<Recipe> = fc.record({
  seed: fc.nat(),
  operations: fc.integer({ min: 1, max: 120 }),
  clients: fc.integer({ min: 1, max: 8 }),
  ambiguous: fc.constantFrom(0, 0.05, 0.3),
  kind: fc.constantFrom('register', 'counter'),
});

const readsOf = (notes: readonly RegisterNote[]) => {
  const reads = new Set(
    notes.flatMap((note) =>
      note.type === 'invoked' && note.call === 'read' ? [note.operation] : [],
    ),
  );
  return notes.filter((note) => note.type === 'returned' && reads.has(note.operation));
};

describe('the search for an order', () => {
  it('finds one for whatever a linearizable register has answered', () => {
    fc.assert(
      fc.property(recipe, (one) => {
        expect(judgeRegisters(generatedHistory(one))).toEqual({ faults: [], undecided: [] });
      }),
    );
  });

  it('finds none if a read shows what was never written', () => {
    fc.assert(
      fc.property(recipe, fc.nat(), (one, which) => {
        const notes = generatedHistory(one);
        const reads = readsOf(notes);
        fc.pre(reads.length > 0);
        const bad = reads[which % reads.length]!;
        const wrong = { ...bad, result: '9999' } as RegisterNote;
        const { faults } = judgeRegisters(notes.map((note) => (note === bad ? wrong : note)));
        expect(faults).toHaveLength(1);
      }),
    );
  });

  it('finds none if the last read shows what the first of many showed', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom<Recipe['kind']>('register', 'counter'),
        (seed, kind) => {
          const notes = generatedHistory({
            seed,
            kind,
            operations: 150,
            clients: 4,
            ambiguous: 0.05,
          });
          const reads = readsOf(notes);
          const [first, last] = [reads[3]!, reads.at(-1)!];
          const [old, newest] = [Reflect.get(first, 'result'), Reflect.get(last, 'result')];
          fc.pre(old !== newest);
          const stale = { ...last, result: old } as RegisterNote;
          const { faults } = judgeRegisters(notes.map((note) => (note === last ? stale : note)));
          expect(faults).toHaveLength(1);
        },
      ),
    );
  });

  it('says what trying every order says', () => {
    fc.assert(
      fc.property(tiny, fc.array(fc.nat(), { maxLength: 3 }), (one, wrong) => {
        const notes = withWrongAnswers(generatedHistory(one), wrong);
        const isLinearizable = tryAll([...operationsOf(notes).values()].flat());
        expect(judgeRegisters(notes).faults).toHaveLength(isLinearizable ? 0 : 1);
      }),
      { numRuns: 600 },
    );
  });
});

/** So short that every order can be tried. */
const tiny: fc.Arbitrary<Recipe> = fc.record({
  seed: fc.nat(),
  operations: fc.constantFrom(4, 6),
  clients: fc.constantFrom(2, 3),
  ambiguous: fc.constantFrom(0.1, 0.4),
  kind: fc.constant('register'),
});

/** Has some of the answers be those that others were given. */
function withWrongAnswers(
  notes: readonly RegisterNote[],
  which: readonly number[],
): RegisterNote[] {
  const reads = readsOf(notes);
  const values = [
    null,
    ...notes.flatMap((note) => (note.type === 'invoked' && 'value' in note ? [note.value] : [])),
  ];
  const wrong = new Map(
    which.flatMap((n) =>
      reads.length > 0 ? [[reads[n % reads.length]!, values[n % values.length]]] : [],
    ),
  );
  return notes.map((note) =>
    wrong.has(note) ? ({ ...note, result: wrong.get(note) } as RegisterNote) : note,
  );
}

/** The definition itself: an order of all that is certain, and of some that is not. */
function tryAll(left: readonly Operation[], state: string | null = null): boolean {
  if (left.every((one) => one.returnedAt === Infinity)) return true;
  return left.some((one) => {
    if (left.some((other) => other.returnedAt < one.invokedAt)) return false;
    const { call, result } = one;
    const rest = left.filter((other) => other !== one);
    if (call.call === 'write') return tryAll(rest, call.value);
    if (call.call === 'read') return state === (result ?? null) && tryAll(rest, state);
    if (call.call !== 'cas') return false;
    const takes = state === call.expected;
    if (one.returnedAt < Infinity && takes !== (result === 'true')) return false;
    return tryAll(rest, takes ? call.value : state);
  });
}
