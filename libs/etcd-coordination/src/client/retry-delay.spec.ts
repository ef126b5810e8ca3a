import fc from 'fast-check';
import { expect, it } from 'vitest';
import { retryDelay } from './retry-delay.js';

const LIMITS = { initialDelayMs: 50, maxDelayMs: 1000 };
const almostOne = () => 1 - Number.EPSILON;

it('doubles its upper bound with each attempt, up to the cap', () => {
  const bounds = [1, 2, 3, 4, 5, 6, 7].map((attempt) =>
    Math.round(retryDelay(attempt, LIMITS, almostOne)),
  );
  expect(bounds).toEqual([50, 100, 200, 400, 800, 1000, 1000]);
});

it('takes any share of its bound, nothing included: full jitter', () => {
  expect(retryDelay(5, LIMITS, () => 0)).toBe(0);
  expect(retryDelay(5, LIMITS, () => 0.5)).toBe(400);
});

it('is never longer than the cap, however many attempts there were', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5000 }),
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: 0, max: 10_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, initialDelayMs, maxDelayMs, share) => {
        const delay = retryDelay(attempt, { initialDelayMs, maxDelayMs }, () => share);
        expect(delay).toBeGreaterThanOrEqual(0);
        expect(delay).toBeLessThanOrEqual(maxDelayMs);
        expect(delay).toBeLessThanOrEqual(initialDelayMs * 2 ** Math.min(attempt - 1, 1000));
      },
    ),
  );
});

it('spreads out those who failed together', () => {
  const delays = new Set(Array.from({ length: 100 }, () => retryDelay(3, LIMITS)));
  expect(delays.size).toBeGreaterThan(90);
});
