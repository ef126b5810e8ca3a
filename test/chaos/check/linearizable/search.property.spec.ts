import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RegisterNote } from '../register-notes.js';
import { generatedHistory, type Recipe } from './generated-history.js';
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
});
