import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AutoMachine, type AutoState } from './auto-machine.js';
import { SWITCH_KIND } from './switch-rule.js';

const LOOK_MS = 200;
const RECOVER_MS = 1000;
const WINDOW_MS = 2000;

/** For so many looks, so many calls come between two, and this share of them fails. */
interface Weather {
  readonly looks: number;
  readonly calls: number;
  readonly failing: number;
  /** The fleet is cut at its beginning. */
  readonly fleetCut: boolean;
}

const weather: fc.Arbitrary<Weather> = fc.record({
  looks: fc.integer({ min: 1, max: 200 }),
  calls: fc.integer({ min: 0, max: 50 }),
  failing: fc.constantFrom(0, 0.1, 0.3, 0.6, 1),
  fleetCut: fc.boolean(),
});

describe('the automatic rule, in any weather', () => {
  it('never flaps: each way back takes a rest and a whole trial, and those who relapse rest for longer', () => {
    fc.assert(
      fc.property(fc.array(weather, { minLength: 1, maxLength: 25 }), (days) => {
        const { machine, steps } = play(days);
        let [cutAt, trialAt, onAt] = [-Infinity, -Infinity, -Infinity];
        let rest = 0;
        let state: AutoState = 'on';
        for (const { to, at, restMs } of steps) {
          if (to === 'cut') {
            // It relapses: it was on for less than it had rested, or not at all.
            if (state === 'trial' || at - onAt < rest) {
              expect(restMs).toBe(Math.min(rest * 2, RECOVER_MS * 16));
            } else {
              expect(restMs).toBe(RECOVER_MS);
            }
            [cutAt, rest] = [at, restMs];
          } else if (to === 'trial') {
            expect(state).toBe('cut');
            expect(at - cutAt).toBeGreaterThanOrEqual(rest);
            trialAt = at;
          } else {
            expect(state).toBe('trial');
            expect(at - trialAt).toBeGreaterThanOrEqual(WINDOW_MS);
            onAt = at;
          }
          state = to;
        }
        expect(machine.state).toBe(state);
      }),
      { numRuns: 300 },
    );
  });

  it('always comes back once the weather is fine, and is always cut while all fails', () => {
    fc.assert(
      fc.property(fc.array(weather, { maxLength: 15 }), (days) => {
        const fine = { looks: 150, calls: 50, failing: 0, fleetCut: false };
        expect(play([...days, fine]).machine.state).toBe('on');
        const bad = { ...fine, failing: 1 };
        const { machine, ran } = play([...days, bad]);
        expect(machine.state).not.toBe('on');
        // Hardly anything runs meanwhile: what is tried, until it goes wrong.
        expect(ran).toBeLessThan(0.2);
      }),
      { numRuns: 100 },
    );
  });
});

/** Plays a sequence of weathers; gives each step, and the share of the calls that ran in the last one. */
function play(days: readonly Weather[]) {
  const auto = { errorRate: 0.5, windowMs: WINDOW_MS, recoverAfterMs: RECOVER_MS };
  let now = 0;
  const machine = new AutoMachine(SWITCH_KIND.read({ auto }).auto!, now);
  const steps: { to: AutoState; at: number; restMs: number }[] = [];
  const note = (step: { to: AutoState } | null) => {
    if (step) steps.push({ to: step.to, at: now, restMs: machine.rest });
  };
  let ran = 0;
  for (const { looks, calls, failing, fleetCut } of days) {
    if (fleetCut) note(machine.cutByFleet(now, 'the fleet was cut'));
    let [offered, run] = [0, 0];
    for (let look = 0; look < looks; look++) {
      now += LOOK_MS;
      for (let call = 0; call < calls; call++) {
        offered += 1;
        if (machine.state === 'cut' || (machine.state === 'trial' && call % 10 > 0)) continue;
        run += 1;
        machine.window.ended(machine.window.began(), 1, call < failing * calls);
      }
      note(machine.look(now));
    }
    ran = offered === 0 ? 0 : run / offered;
  }
  return { machine, steps, ran };
}
