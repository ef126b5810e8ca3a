import { expect, it } from 'vitest';
import type { WatchHub } from '../watch/watch-hub.js';
import type { WatchStatus } from '../watch/watch-status.js';
import { watchHealth } from './watch-health.js';

const health = (...statuses: WatchStatus[]) =>
  watchHealth({ statuses: () => statuses } as WatchHub, 30_000);

it('shows the watch that is worst off', () => {
  expect(
    health(
      { name: 'a/', isListed: true, ageMs: 10 },
      { name: 'b/', isListed: true, ageMs: 30_000 },
    ),
  ).toEqual({
    details: { watches: { count: 2, notListed: 0, oldest: { name: 'b/', ageMs: 30_000 } } },
  });
  expect(health().details).toEqual({ watches: { count: 0, notListed: 0, oldest: null } });
});

it('is degraded by one that is stale, and by one whose list does not come', () => {
  expect(health({ name: 'b/', isListed: true, ageMs: 30_001 }).degraded).toEqual([
    'What is watched at "b/" was last known to be what etcd holds 30 s ago.',
  ]);
  expect(health({ name: 'b/', isListed: false, ageMs: 45_000 })).toMatchObject({
    details: { watches: { notListed: 1 } },
    degraded: ['What is watched at "b/" was asked for 45 s ago and is not here yet.'],
  });
});
