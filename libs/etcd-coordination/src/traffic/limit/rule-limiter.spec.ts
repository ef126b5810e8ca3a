import { afterEach, describe, expect, it } from 'vitest';
import { ShareStage } from '../../../../../test/support/share-stage.js';
import type { RateLimitOptions } from './rate-limit-rule.js';

const BY_USER: RateLimitOptions = { limit: 20, windowMs: 60_000, mode: 'fleet', key: 'user' };

let stage: ShareStage;
afterEach(() => stage.limiter.close());

async function joined(rule: RateLimitOptions): Promise<ShareStage> {
  stage = new ShareStage(rule);
  await stage.join();
  return stage;
}

describe("a fleet's limit by key", () => {
  it('keeps what each key has left and has used up while the process is held up', async () => {
    await joined(BY_USER);
    stage.say('other');
    expect([stage.admitted(1, 'frugal'), stage.admitted(30, 'greedy')]).toEqual([1, 10]);
    // Long enough to say that the share is in use: from then on silence is taken for death.
    await stage.clock.advance(600);
    stage.clock.freeze(900);
    expect(stage.limiter.check('frugal', 1)).toMatchObject({
      ...{ allowed: false, refusal: 'held-up', retryAfterMs: 1000 },
    });
    await stage.clock.advance(500);
    expect([stage.admitted(30, 'frugal'), stage.admitted(30, 'greedy')]).toEqual([9, 0]);
  });

  it('goes on after the process was held up where nobody can have taken it for dead', async () => {
    await joined(BY_USER);
    expect(stage.admitted(1, 'frugal')).toBe(1);
    await stage.clock.advance(600);
    stage.clock.freeze(5000);
    expect(stage.limiter.check('frugal', 1)).toMatchObject({ allowed: true });
  });

  it('takes from a key no more than the smaller share means when another process joins', async () => {
    await joined(BY_USER);
    stage.admitted(15, 'half');
    stage.admitted(1, 'frugal');
    stage.say('other');
    expect([stage.admitted(30, 'half'), stage.admitted(30, 'frugal')]).toEqual([5, 10]);
  });
});

describe('a newcomer to a limit of few calls', () => {
  const TWO: RateLimitOptions = { limit: 2, windowMs: 60_000, mode: 'fleet' };

  it.each([
    ['all calls together', TWO, undefined],
    ['each key', { ...TWO, burst: 1, key: 'user' } as const, 'ada'],
  ])('begins with one call for %s, once it has joined, and no more', async (_of, rule, key) => {
    stage = new ShareStage(rule);
    expect(stage.limiter.check(key, 1)).toMatchObject({ allowed: false, refusal: 'joining' });
    await stage.join();
    expect(stage.admitted(5, key)).toBe(1);
    await stage.clock.advance(29_000);
    expect(stage.admitted(5, key)).toBe(0);
    await stage.clock.advance(1000);
    expect(stage.admitted(5, key)).toBe(1);
  });

  it('begins with the part of a call that its share has room for', async () => {
    stage = new ShareStage(TWO);
    stage.say('other');
    await stage.join();
    expect(stage.admitted(5)).toBe(0);
    await stage.clock.advance(30_000);
    expect(stage.admitted(5)).toBe(1);
  });

  it('begins with one call of a limit of many, and earns the rest', async () => {
    await joined({ limit: 600, windowMs: 60_000, burst: 100, mode: 'fleet' });
    // With what came in the half second since.
    expect(stage.admitted(100)).toBe(1 + 5);
    stage.turn({ mode: 'instance' });
    stage.turn({ mode: 'fleet' });
    expect(stage.admitted(100)).toBe(0);
  });
});

describe('a share that was lent', () => {
  it('is back as soon as its borrower is taken for dead', async () => {
    await joined({ limit: 1000, windowMs: 1000, mode: 'fleet' });
    const borrow = () => stage.say('other', { everyMs: 500, want: 0.4, forMs: 3000 });
    const use = async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        stage.admitted(1);
        await stage.clock.advance(100);
      }
    };
    for (let beat = 0; beat < 4; beat += 1) {
      borrow();
      await use(500);
    }
    expect(stage.limiter.shareNow).toMatchObject({ members: 2, lent: 0.4 });
    await use(2000);
    expect(stage.limiter.shareNow).toMatchObject({ members: 1, lent: 0, rate: 1 });
  });
});
