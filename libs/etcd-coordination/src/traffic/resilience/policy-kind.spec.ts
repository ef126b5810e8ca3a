import { describe, expect, it } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
import { readRule } from '../live-documents.js';
import { POLICY_KIND, readPolicy } from './policy-kind.js';

/** What is said of a policy of these fields. */
function faultOf(fields: unknown): Promise<unknown> {
  return failureOf(Promise.resolve().then(() => readRule(POLICY_KIND, 'stock', fields)));
}

describe('the numbers of a policy', () => {
  it('leave every part off that is left out, or null', () => {
    const off = { timeoutMs: null, retry: null, breaker: null, bulkhead: null, hedge: null };

    expect(readPolicy({})).toEqual(off);
    expect(readPolicy(off)).toEqual(off);
  });

  it('have defaults within each part', () => {
    expect(
      readPolicy({ retry: {}, breaker: {}, bulkhead: { concurrent: 5 }, hedge: { afterMs: 50 } }),
    ).toEqual({
      timeoutMs: null,
      retry: {
        attempts: 3,
        initialDelayMs: 100,
        maxDelayMs: 2000,
        budget: 0.1,
        minRetriesPerSecond: 1,
      },
      breaker: {
        kind: 'consecutive',
        failures: 5,
        threshold: 0.5,
        windowMs: 10_000,
        minCalls: 20,
        openMs: 5000,
        halfOpenCalls: 1,
      },
      bulkhead: { concurrent: 5, queue: 0 },
      hedge: { afterMs: 50, attempts: 2 },
    });
  });

  it.each([
    ['', 5, 'is 5: give an object'],
    ['', null, 'is null: give an object'],
    ['retries', { retries: {} }, 'is not known'],
    ['timeoutMs', { timeoutMs: 0 }, 'is 0: give a whole number of milliseconds from 1'],
    ['timeoutMs', { timeoutMs: Number.NaN }, 'is NaN'],
    ['timeoutMs', { timeoutMs: '1s' }, "is '1s'"],
    ['timeoutMs', { timeoutMs: 2 ** 31 }, 'to 2147483647'],
    ['retry.attempts', { retry: { attempts: 11 } }, 'from 1 to 10'],
    ['retry.attempts', { retry: { attempts: -1 } }, 'from 1 to 10'],
    ['retry.maxDelayMs', { retry: { initialDelayMs: 500, maxDelayMs: 100 } }, 'from 500'],
    ['retry.budget', { retry: { budget: 1.5 } }, 'is 1.5: give a number from 0 to 1'],
    ['retry.budget', { retry: { budget: Infinity } }, 'is Infinity'],
    ['breaker.kind', { breaker: { kind: 'count' } }, 'give "consecutive" or "ratio"'],
    ['breaker.failures', { breaker: { failures: 0 } }, 'is 0'],
    ['breaker.threshold', { breaker: { threshold: 0 } }, 'above 0, up to 1'],
    ['breaker.windowMs', { breaker: { kind: 'ratio', windowMs: 0 } }, 'is 0'],
    ['breaker.openMs', { breaker: { openMs: -5 } }, 'is -5'],
    ['bulkhead.concurrent', { bulkhead: {} }, 'is missing'],
    ['bulkhead.queue', { bulkhead: { concurrent: 1, queue: 1.5 } }, 'is 1.5'],
    ['hedge.afterMs', { hedge: {} }, 'is missing'],
    ['hedge.attempts', { hedge: { afterMs: 5, attempts: 1 } }, 'from 2 to 5'],
  ])('cannot have what is wrong: "%s" of %j', async (path, fields, fault) => {
    const error = await faultOf(fields);

    expect(error).toMatchObject({ code: 'INVALID_TRAFFIC_RULE', rule: 'stock', path });
    expect((error as Error).message).toContain(fault);
  });
});
