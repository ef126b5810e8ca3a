import { expect, it } from 'vitest';
import type { WatchEvent } from '../../../../libs/etcd-coordination/src/watch/watch-event.js';
import { Deliveries } from './deliveries.js';

it('keeps apart what was delivered in two goes, even of one revision', async () => {
  const deliveries = new Deliveries();
  const [first, second, third] = Array.from({ length: 3 }, () => ({ revision: 4n }) as WatchEvent);
  deliveries.came(first!);
  deliveries.came(second!);
  await Promise.resolve();
  deliveries.came(third!);
  expect(deliveries.areTogether(first!, second!)).toBe(true);
  expect(deliveries.areTogether(second!, third!)).toBe(false);
});
