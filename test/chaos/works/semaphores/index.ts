import { lockOf } from '../locks/lock-names.js';
import { ownedWork } from '../owned/owned-work.js';
import { PERMITS, SLOTS } from './slots.js';

/** Permits, of which so many are valid at a time. */
export const semaphores = ownedWork(
  'semaphores',
  { things: [lockOf(SLOTS)], permits: PERMITS },
  new URL('./ours.part.ts', import.meta.url),
  {
    grants: { what: 'permits that were granted', aMinute: 30 },
    writes: { what: 'writes under permits that etcd took', aMinute: 10 },
  },
);
