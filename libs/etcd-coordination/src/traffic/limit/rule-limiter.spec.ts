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
    expect([stage.admitted(1, 'frugal'), stage.admitted(30, 'greedy')]).toEqual([1, 20]);
    stage.clock.freeze(900);
    expect(stage.limiter.check('frugal', 1)).toMatchObject({
      ...{ allowed: false, refusal: 'held-up', retryAfterMs: 1000 },
    });
    await stage.clock.advance(500);
    expect([stage.admitted(30, 'frugal'), stage.admitted(30, 'greedy')]).toEqual([19, 0]);
  });

  it('takes from a key no more than the smaller share means when another process joins', async () => {
    await joined(BY_USER);
    stage.admitted(15, 'half');
    stage.admitted(1, 'frugal');
    stage.say('other');
    expect([stage.admitted(30, 'half'), stage.admitted(30, 'frugal')]).toEqual([5, 10]);
  });
});
