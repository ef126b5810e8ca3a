import { afterEach, expect, it } from 'vitest';
import { ShareStage } from '../../../../../test/support/share-stage.js';

let stage: ShareStage;
afterEach(() => stage.limiter.close());

it('what stands under the shares of a limit on no lease is nobody who takes part', async () => {
  stage = new ShareStage({ limit: 1000, windowMs: 1000, mode: 'fleet' });
  stage.put('junk', Buffer.from('not json'), '0');
  await stage.join();
  stage.say('forged', { want: 1, forMs: 3000 }, '0');
  expect(stage.limiter.shareNow).toMatchObject({ members: 1, rate: 1 });
  // What cannot be read may be of a newer version, and lives as long as its lease.
  stage.put('newer', Buffer.from('not json'));
  expect(stage.limiter.shareNow).toMatchObject({ members: 2, rate: 0.5 });
});
