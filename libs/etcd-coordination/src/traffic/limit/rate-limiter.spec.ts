import { Logger } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { LimitStage } from '../../../../../test/support/limit-stage.js';
import { ClientClosedError } from '../../client/etcd.errors.js';
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
      ...{ allowed: true, refusal: null, limit: 10, remaining: 1, retryAfterMs: 0 },
      resetMs: 900,
    });
    expect(limiter.check('ten', { cost: 3 })).toEqual({
      ...{ allowed: false, refusal: 'used-up', limit: 10, remaining: 1, retryAfterMs: 200 },
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
    { maxKeys: 0 },
    { maxKeys: 1_000_001 },
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

describe('the keys of a limit', () => {
  it('are known up to its maxKeys; those beyond share a limit, which is said once, with the cure', () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const stage = new LimitStage({ ten: { ...TEN, key: 'user', maxKeys: 12_000 } });
    const users = Array.from({ length: 12_020 }, (_, index) => `user-${index}`);
    const refused = (keys: string[]) => keys.filter((key) => admitted(stage, 1, key) === 0).length;
    expect(refused(users.slice(0, 12_000))).toBe(0);
    expect(warn).not.toHaveBeenCalled();
    expect(refused(users.slice(12_000))).toBe(10);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]![0]).toMatch(/12000.*"ten".*raise its "maxKeys"/);
    stage.turn('ten', { key: 'user', maxKeys: 13_000 });
    expect(refused(users.slice(12_000))).toBe(0);
    warn.mockRestore();
  });
});

describe('a key that is given in code', () => {
  it('tells calls apart where the rule has a key of any kind', () => {
    const stage = new LimitStage({ ten: { ...TEN, key: 'call' } });
    expect([admitted(stage, 30, 'a'), admitted(stage, 30, 'b')]).toEqual([10, 10]);
    expect(admitted(stage, 30)).toBe(10);
  });

  it('is an error where the rule was declared without one, also at the start', () => {
    const { limiter } = new LimitStage({ ten: TEN });
    expect(() => limiter.check('ten', { key: 'a' })).toThrow(InvalidRateLimitCallError);
    const use = { rule: 'ten', place: 'Mails.send', cost: 1 };
    expect(() => limiter.assertUse({ ...use, key: () => 'a' })).toThrow(/Mails\.send.*"call"/);
    expect(() => limiter.assertUse({ ...use, key: null })).not.toThrow();
    expect(() => limiter.assertUse({ ...use, key: null, cost: 11 })).toThrow(/burst of 10/);
    expect(limiter.used).toEqual(['ten']);
  });

  it('is no error where a document has turned it to one limit for all', () => {
    const stage = new LimitStage({ ten: { ...TEN, key: 'call' } });
    stage.turn('ten', { key: 'none' });
    expect([admitted(stage, 30, 'a'), admitted(stage, 30, 'b')]).toEqual([10, 0]);
  });
});

describe('a burst that is turned to less than a call costs', () => {
  it('fails no call: each waits for the whole burst, and the operator is told once', () => {
    const warn = vi.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    const stage = new LimitStage({ ten: TEN });
    stage.turn('ten', { burst: 2 });
    const call = () => stage.limiter.check('ten', { cost: 5 });
    expect([call().allowed, call().allowed]).toEqual([true, false]);
    stage.clock.freeze(499);
    expect(call().allowed).toBe(false);
    stage.clock.freeze(1);
    expect(call().allowed).toBe(true);
    expect(warn).toHaveBeenCalledOnce();
    expect(() => stage.limiter.check('ten', { cost: 11 })).toThrow(InvalidRateLimitCallError);
    warn.mockRestore();
  });
});

describe('a limit of the fleet that is closed', () => {
  it('builds nothing any more, and says why it refuses', async () => {
    const { limiter } = new LimitStage({ ten: { ...TEN, mode: 'fleet' } });
    await limiter.close();
    expect(limiter.check('ten')).toMatchObject({ allowed: false, refusal: 'closing' });
    expect(() => limiter.consume('ten')).toThrow(/closing/);
    expect(limiter.numbers('ten').limit).toBe(10);
    await expect(limiter.use('ten')).rejects.toThrow(ClientClosedError);
    expect(limiter.used).toEqual([]);
  });
});

describe('the status', () => {
  it('only looks, and tells of a limit when it comes into use and is turned', async () => {
    const stage = new LimitStage({ ten: TEN });
    const { limiter } = stage;
    const told: [share: number, limit: number][] = [];
    limiter.status$('ten').subscribe(({ share, numbers }) => told.push([share, numbers.limit]));
    expect(limiter.status('ten')).toMatchObject({ share: 0, members: 0, numbers: TEN });
    expect(limiter.used).toEqual([]);
    limiter.check('ten');
    stage.turn('ten', { limit: 20 });
    expect(told).toEqual([
      [0, 10],
      [1, 10],
      [1, 20],
    ]);
    await limiter.close();
  });

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
