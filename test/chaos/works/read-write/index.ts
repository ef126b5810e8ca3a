import { lockOf } from '../locks/lock-names.js';
import { ownedWork } from '../owned/owned-work.js';
import { BOOKS } from './books.js';

/** Readers, who may be many, and writers, who are alone, of the same things. */
export const readWrite = ownedWork(
  'read-write',
  { things: BOOKS.map(lockOf) },
  new URL('./ours.part.ts', import.meta.url),
  {
    grants: { what: 'grants to read or write', aMinute: 30 },
    writes: { what: 'writes of readers and writers that etcd took', aMinute: 10 },
  },
);
