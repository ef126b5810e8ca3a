import { describe, expect, it } from 'vitest';
import { RuleFault } from '../rule-reader.js';
import { LOAD_KIND, SWITCH_KIND } from './switch-rule.js';

describe('what a switch may say', () => {
  const faultOf = (fields: unknown, kind: { read(fields: unknown): unknown } = SWITCH_KIND) => {
    try {
      kind.read(fields);
    } catch (error) {
      if (error instanceof RuleFault) return `${error.path} ${error.fault}`;
      throw error;
    }
    return null;
  };

  it('fills in what is left out', () => {
    expect(SWITCH_KIND.read({})).toEqual({ priority: 5, auto: null, manual: null });
    expect(SWITCH_KIND.read({ auto: { errorRate: 0.2 } }).auto).toEqual({
      ...{ errorRate: 0.2, p99Ms: null, eventLoopDelayMs: null, windowMs: 10_000 },
      ...{ minCalls: 20, recoverAfterMs: 30_000, quorum: 0.5 },
    });
    expect(SWITCH_KIND.read({ manual: { state: 'off' } }).manual).toEqual({
      ...{ state: 'off', author: null, reason: null, at: null, until: null },
    });
    expect(LOAD_KIND.read({})).toMatchObject({ cutFrom: null });
  });

  it.each([
    [null, ' is null'],
    [[], ' is '],
    [{ priority: 0 }, 'priority is 0'],
    [{ priority: 10 }, 'priority is 10'],
    [{ priority: NaN }, 'priority is NaN'],
    [{ prio: 1 }, 'prio is not known'],
    [{ auto: {} }, 'auto says nothing to go by'],
    [{ auto: { errorRate: 0 } }, 'auto.errorRate is 0'],
    [{ auto: { errorRate: 1.1 } }, 'auto.errorRate is 1.1'],
    [{ auto: { errorRate: NaN } }, 'auto.errorRate is NaN'],
    [{ auto: { errorRate: 0.5, windowMs: 0 } }, 'auto.windowMs is 0'],
    [{ auto: { errorRate: 0.5, recoverAfterMs: -1 } }, 'auto.recoverAfterMs is -1'],
    [{ auto: { errorRate: 0.5, minCalls: 0 } }, 'auto.minCalls is 0'],
    [{ auto: { errorRate: 0.5, quorum: 2 } }, 'auto.quorum is 2'],
    [{ auto: { p99Ms: 10_000 } }, 'auto.p99Ms is 10000: give less than windowMs'],
    [{ auto: { eventLoopDelayMs: -1 } }, 'auto.eventLoopDelayMs is -1'],
    [{ manual: { state: 'auto' } }, 'manual.state is'],
    [{ manual: { state: 'off', until: 'soon' } }, 'manual.until is'],
    [{ manual: { state: 'off', author: 7 } }, 'manual.author is 7'],
  ])('refuses %j', (fields, fault) => {
    expect(faultOf(fields)).toContain(fault);
  });

  it.each([{ cutFrom: 0 }, { cutFrom: 'all' }, { cutFrom: 1.5 }, { from: 3 }])(
    'refuses %j of all at once',
    (fields) => expect(faultOf(fields, LOAD_KIND)).toMatch(/^(cutFrom|from) is/),
  );
});
