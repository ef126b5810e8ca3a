import { describe, expect, it } from 'vitest';
import { LimitStage } from '../../../../../test/support/limit-stage.js';
import { InvalidTrafficRuleError, UnknownTrafficNameError } from '../traffic.errors.js';
import { InvalidRateLimitCallError, RateLimitedError } from './rate-limit.errors.js';
import type { RateLimitOptions } from './rate-limit-rule.js';

const TEN: RateLimitOptions = { limit: 10, windowMs: 1000, mode: 'instance' };

/** How many of so many calls go through. */
function admitted({ limiter }: LimitStage, calls: number, key?: string): number {
  const call = key === undefined ? {} : { key };
  return Array.from({ length: calls }, () => limiter.check('ten', call)).filter(
    ({ allowed }) => allowed,
  ).length;
}

describe("an instance's limit", () => {
  it('lets a burst through, and then as many as come to the limit', () => {
    const stage = new LimitStage({ ten: TEN });
    expect(admitted(stage, 30)).toBe(10);
    stage.clock.freeze(250);
    expect(admitted(stage, 30)).toBe(2);
    stage.clock.freeze(50);
    expect(admitted(stage, 30)).toBe(1);
  });

  it('has no more than a burst after however long a rest', () => {
    const stage = new LimitStage({ ten: { ...TEN, burst: 3 } });
    stage.clock.freeze(3_600_000);
    expect(admitted(stage, 30)).toBe(3);
  });

  it('says when to come back, and that is so', () => {
    const { limiter, clock } = new LimitStage({ ten: TEN });
    expect(limiter.check('ten', { cost: 9 })).toEqual({
      ...{ allowed: true, limit: 10, remaining: 1, retryAfterMs: 0 },
      resetMs: 900,
    });
    expect(limiter.check('ten', { cost: 3 })).toEqual({
      ...{ allowed: false, limit: 10, remaining: 1, retryAfterMs: 200 },
      resetMs: 900,
    });
    clock.freeze(199);
    expect(limiter.check('ten', { cost: 3 }).allowed).toBe(false);
    clock.freeze(1);
    expect(limiter.check('ten', { cost: 3 }).allowed).toBe(true);
  });

  it('fails a call that is one too many with HTTP 429', () => {
    const { limiter } = new LimitStage({ ten: TEN });
    limiter.consume('ten', { cost: 10 });
    const consume = () => limiter.consume('ten');
    expect(consume).toThrow(RateLimitedError);
    expect(consume).toThrow(
      expect.objectContaining({
        ...{ code: 'RATE_LIMITED', statusCode: 429, rule: 'ten', retryAfterMs: 100 },
      }),
    );
  });

  it.each([0, -1, Number.NaN, Infinity, 11, '1', null])('refuses a cost of %s', (cost) => {
    const stage = new LimitStage({ ten: TEN });
    expect(() => stage.limiter.check('ten', { cost: cost as number })).toThrow(
      InvalidRateLimitCallError,
    );
    expect(admitted(stage, 11)).toBe(10);
  });

  it('refuses an unknown name, and lists those that there are', async () => {
    const { limiter } = new LimitStage({ ten: TEN, other: TEN });
    await expect(limiter.use('tne', 'Orders.place')).rejects.toThrow(UnknownTrafficNameError);
    expect(() => limiter.check('tne')).toThrow(/"tne"[^]*"ten", "other"/);
  });
});

describe('a limit that is turned', () => {
  it('goes by the new numbers at once, with what was used up', () => {
    const stage = new LimitStage({ ten: TEN });
    expect(admitted(stage, 30)).toBe(10);
    stage.turn('ten', { limit: 1000 });
    expect(admitted(stage, 30)).toBe(0);
    stage.clock.freeze(10);
    expect(admitted(stage, 30)).toBe(10);
    stage.turn('ten', { limit: 1 });
    stage.clock.freeze(999);
    expect(admitted(stage, 30)).toBe(0);
    stage.clock.freeze(1);
    expect(admitted(stage, 30)).toBe(1);
  });

  it('does not fill up by the new numbers for the time before', () => {
    const stage = new LimitStage({ ten: { ...TEN, limit: 1, key: 'user' } });
    expect(admitted(stage, 3, 'a')).toBe(1);
    stage.clock.freeze(500);
    stage.turn('ten', { limit: 1000 });
    expect(admitted(stage, 30, 'a')).toBe(0);
    stage.clock.freeze(1);
    expect(admitted(stage, 30, 'a')).toBe(1);
  });

  it('keeps no more than the new burst', () => {
    const stage = new LimitStage({ ten: TEN });
    stage.turn('ten', { burst: 2 });
    expect(admitted(stage, 30)).toBe(2);
  });

  it.each([
    { limit: 0 },
    { limit: -1 },
    { limit: 1.5 },
    { limit: Number.NaN },
    { windowMs: 0 },
    { windowMs: 86_400_001 },
    { burst: 0 },
    { mode: 'everywhere' },
    { key: 'cookie' },
    { key: 'header:' },
    { limits: 5 },
  ])('cannot have %o', (numbers) => {
    const stage = new LimitStage({ ten: TEN });
    stage.limiter.check('ten');
    expect(() => stage.turn('ten', numbers as Partial<RateLimitOptions>)).toThrow(
      InvalidTrafficRuleError,
    );
    expect(() => new LimitStage({ ten: { ...TEN, ...numbers } as RateLimitOptions })).toThrow(
      /of the limit "ten"/,
    );
  });
});

describe('a limit by key', () => {
  it('is one for each key, and one for all calls without', () => {
    const stage = new LimitStage({ ten: { ...TEN, key: 'user' } });
    expect(admitted(stage, 30, 'a')).toBe(10);
    expect(admitted(stage, 30, 'b')).toBe(10);
    expect(admitted(stage, 30)).toBe(10);
    expect(admitted(stage, 30, 'a')).toBe(0);
  });
});

describe('the status', () => {
  it('tells the numbers, and each change of them', async () => {
    const { limiter } = new LimitStage({ ten: TEN });
    await limiter.use('ten');
    const told: number[] = [];
    limiter.status$('ten').subscribe(({ share }) => told.push(share));
    expect(limiter.status('ten')).toMatchObject({ rule: 'ten', share: 1, members: 1, lent: 0 });
    expect(told).toEqual([1]);
    await limiter.close();
  });
});
