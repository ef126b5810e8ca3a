import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Borrowed, grantsFor, LENDABLE, Lent } from './share-lending.js';
import type { ShareRecord } from './share-record.js';

const D = 3000;
const QUARTER = 0.25;
const record = (grants: ShareRecord['grants'], beat = 1): ShareRecord => ({
  ...{ beat, everyMs: 500, want: 0, forMs: D, heeds: [], left: false },
  grants,
});

describe('what is lent', () => {
  it('is never counted on when its lender has it back, however late either hears', () => {
    const delay = fc.nat({ max: 8000 });
    fc.assert(
      fc.property(delay, delay, delay, delay, (toLender, answer, toBorrower, later) => {
        const [borrowed, lent] = [new Borrowed(), new Lent(() => true)];
        borrowed.asked(1, 0, D);
        const askedAt = toLender;
        const [grant] = grantsFor(
          [{ from: 'b', beat: 1, want: 0.5 }],
          { share: QUARTER, demand: 0, lenders: 1 },
          lent,
          askedAt,
        );
        const settled = lent.lend(1, [grant!], () => D);
        const settledAt = askedAt + answer;
        const at = askedAt + toBorrower + later;
        if (at >= settledAt) settled(settledAt);
        const { rate } = borrowed.rate(at, 'b', [['l', record([grant!])]], QUARTER);
        expect(rate).toBeLessThanOrEqual(lent.rate(at, QUARTER) + 1e-9);
      }),
      { numRuns: 2000 },
    );
  });

  it('is shared by those who ask, within what can be spared', () => {
    const requests = [0.1, 0.3].map((want, index) => ({ from: `b${index}`, beat: 7, want }));
    const means = { share: QUARTER, demand: 0.05, lenders: 1 };
    const grants = grantsFor(requests, means, new Lent(() => true), 0);
    const spare = QUARTER - 0.05 * 1.3;
    expect(grants.map(({ rate }) => rate)).toEqual([
      expect.closeTo(spare / 4, 5),
      expect.closeTo((spare * 3) / 4, 5),
    ]);
    expect(grantsFor(requests, { ...means, demand: QUARTER }, new Lent(() => true), 0)).toEqual([]);
  });

  it('is not lent to the next one while the first may count on it', () => {
    const lent = new Lent(() => true);
    const means = { share: QUARTER, demand: 0, lenders: 1 };
    const first = grantsFor([{ from: 'a', beat: 1, want: 1 }], means, lent, 0);
    lent.lend(1, first, () => D)(0);
    const second = [{ from: 'b', beat: 1, want: 1 }];
    expect(grantsFor(second, means, lent, D - 1)[0]!.rate).toBe(0);
    expect(grantsFor(second, means, lent, D)[0]!.rate).toBeCloseTo(LENDABLE * QUARTER, 5);
  });

  it('is back at once when the borrower has heard that it is', () => {
    const [borrowed, lent] = [new Borrowed(), new Lent(() => true)];
    borrowed.asked(1, 0, D);
    const grant = { to: 'b', beat: 1, rate: 0.1 };
    lent.lend(4, [grant], () => D)(0);
    expect(borrowed.rate(10, 'b', [['l', record([grant], 4)]], QUARTER).rate).toBe(0.1);
    const after = new Map([['l', { record: record([], 5), heardAt: 20 }]]);
    const heeds = borrowed.returns('b', after);
    expect(heeds).toEqual([['l', 5]]);
    borrowed.returned(heeds);
    expect(borrowed.returns('b', after)).toEqual([]);
    lent.returned('b', 4);
    expect(lent.rate(30, QUARTER)).toBe(0.1);
    lent.returned('b', 5);
    expect(lent.rate(30, QUARTER)).toBe(0);
  });

  it('is free while its borrower is taken for dead, and not any more when that one is back', () => {
    let isThere = true;
    const lent = new Lent(() => isThere);
    const grant = { to: 'b', beat: 1, rate: 0.1 };
    lent.lend(1, [grant], () => D)(0);
    isThere = false;
    expect(lent.rate(1, QUARTER)).toBe(0);
    const second = [{ from: 'c', beat: 1, want: 1 }];
    const means = { share: QUARTER, demand: 0, lenders: 1 };
    expect(grantsFor(second, means, lent, 1)[0]!.rate).toBeCloseTo(LENDABLE * QUARTER, 5);
    isThere = true;
    expect([lent.rate(D - 1, QUARTER), lent.rate(D, QUARTER)]).toEqual([0.1, 0]);
  });

  it('is nothing to give back to a lender that has crashed', () => {
    const borrowed = new Borrowed();
    borrowed.asked(1, 0, D);
    const grant = { to: 'b', beat: 1, rate: 0.1 };
    const rate = () => borrowed.rate(10, 'b', [['l', record([grant])]], QUARTER).rate;
    const after = new Map([['l', { record: record([], 5), heardAt: 20 }]]);
    expect(rate()).toBe(0.1);
    borrowed.forget(after);
    expect(borrowed.returns('b', after)).toEqual([['l', 5]]);
    borrowed.forget(new Map());
    expect(borrowed.returns('b', after)).toEqual([]);
  });

  it('shrinks with the share of its lender, as both see it', () => {
    const [borrowed, lent] = [new Borrowed(), new Lent(() => true)];
    borrowed.asked(1, 0, D);
    const grant = { to: 'b', beat: 1, rate: LENDABLE * 0.5 };
    lent.lend(1, [grant], () => D)(0);
    expect(lent.rate(1, QUARTER)).toBe(LENDABLE * QUARTER);
    expect(borrowed.rate(1, 'b', [['l', record([grant])]], QUARTER).rate).toBeCloseTo(
      LENDABLE * QUARTER,
      9,
    );
  });
});
