import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nextGate, STARTING_GATE, UP_GATE, type Gate, type GateRule } from './health-gate.js';

const rules = fc.record({
  failures: fc.integer({ min: 1, max: 5 }),
  passes: fc.integer({ min: 1, max: 5 }),
});
const results = fc.array(fc.boolean(), { maxLength: 60 });

const walk = (given: readonly boolean[], rule: GateRule, from: Gate = STARTING_GATE): Gate[] => {
  const gates = [from];
  for (const passed of given) gates.push(nextGate(gates.at(-1)!, passed, rule));
  return gates;
};
const states = (given: readonly boolean[], rule: GateRule, from?: Gate) =>
  walk(given, rule, from).map(({ state }) => state);

describe('a health gate', () => {
  it('comes up with the first pass, goes down after failures in a row, and up after passes in a row', () => {
    const rule = { failures: 3, passes: 2 };
    const given = [false, true, false, false, true, false, false, false, true, false, true, true];
    expect(states(given, rule)).toEqual([
      ...['starting', 'starting', 'up', 'up', 'up', 'up', 'up', 'up', 'down'],
      ...['down', 'down', 'down', 'up'],
    ]);
  });

  it('moves exactly when the last results in a row all speak against its state', () => {
    fc.assert(
      fc.property(results, rules, (given, rule) => {
        const gates = walk(given, rule);
        let run = 0;
        for (const [index, passed] of given.entries()) {
          const [before, after] = [gates[index]!, gates[index + 1]!];
          if (before.state === 'starting') {
            expect(after.state).toBe(passed ? 'up' : 'starting');
            run = 0;
            continue;
          }
          const isUp = before.state === 'up';
          run = passed === isUp ? 0 : run + 1;
          const moves = run === (isUp ? rule.failures : rule.passes);
          expect(after.state).toBe(moves ? (isUp ? 'down' : 'up') : before.state);
          if (moves) run = 0;
        }
      }),
    );
  });

  it('stays where it is while its check flaps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 2, max: 5 }), (n, least) => {
        const flaps = Array.from({ length: n }, (_, index) => index % 2 === 0);
        const rule = { failures: least, passes: least };
        for (const gate of [UP_GATE, { state: 'down', against: 0 } as const]) {
          expect(new Set(states(flaps, rule, gate))).toEqual(new Set([gate.state]));
        }
      }),
    );
  });
});
