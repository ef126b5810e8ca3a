import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../../../../test/support/virtual-clock.js';
import { RetryBudget } from './retry-budget.js';

describe('a retry budget', () => {
  it('starts with what two seconds of silence earn', () => {
    const budget = new RetryBudget(new VirtualClock(), { budget: 0.1, minRetriesPerSecond: 1 });

    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false]);
  });

  it('earns one attempt with as many calls as its share says', () => {
    const budget = new RetryBudget(new VirtualClock(), { budget: 0.1, minRetriesPerSecond: 0 });
    expect(budget.take()).toBe(true);

    for (let call = 0; call < 9; call++) budget.earn();
    expect(budget.take()).toBe(false);
    budget.earn();

    expect(budget.take()).toBe(true);
  });

  it('allows none if it is 0 and no second earns any', () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock, { budget: 0, minRetriesPerSecond: 0 });
    for (let call = 0; call < 100; call++) budget.earn();
    clock.freeze(60_000);

    expect(budget.take()).toBe(false);
  });

  it('saves no more than a second of calls, and two of silence, have earned', () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock, { budget: 0.1, minRetriesPerSecond: 1 });
    for (let second = 0; second < 60; second++) {
      for (let call = 0; call < 100; call++) budget.earn();
      clock.freeze(1000);
    }

    expect(budget.available).toBe(12);
    clock.freeze(60_000);
    expect(budget.available).toBe(2);
  });

  it('keeps what is saved up when its numbers are turned', () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock, { budget: 0.1, minRetriesPerSecond: 5 });
    expect(budget.available).toBe(10);

    budget.turn({ budget: 0.1, minRetriesPerSecond: 1 });
    expect(budget.available).toBe(2);
    budget.turn({ budget: 0.1, minRetriesPerSecond: 5 });
    expect(budget.available).toBe(2);
  });

  it('never gives more than was earned in any stretch, and what was saved up before', () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: 1500 }),
      calls: fc.integer({ min: 0, max: 40 }),
      wants: fc.integer({ min: 0, max: 40 }),
    });
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 20, noNaN: true }),
        (steps, share, perSecond) => {
          const clock = new VirtualClock();
          const budget = new RetryBudget(clock, { budget: share, minRetriesPerSecond: perSecond });
          const begin = clock.now();
          const before = Math.max(1, 2 * perSecond);
          let [calls, retries] = [0, 0];
          for (const { afterMs, calls: more, wants } of steps) {
            clock.freeze(afterMs);
            for (let call = 0; call < more; call++) budget.earn();
            calls += more;
            for (let want = 0; want < wants; want++) if (budget.take()) retries += 1;
            const earned = share * calls + (perSecond * (clock.now() - begin)) / 1000;
            expect(retries).toBeLessThanOrEqual(before + earned + 1e-6);
          }
        },
      ),
    );
  });

  it('gives what was earned, as long as no more is wanted', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), (calls) => {
        const budget = new RetryBudget(new VirtualClock(), { budget: 0.2, minRetriesPerSecond: 0 });
        let retries = 0;
        for (let call = 0; call < calls; call++) {
          budget.earn();
          if (budget.take()) retries += 1;
        }
        expect(retries).toBeGreaterThanOrEqual(Math.floor(0.2 * calls));
      }),
    );
  });
});
