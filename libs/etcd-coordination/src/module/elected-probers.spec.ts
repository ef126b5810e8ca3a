import { Subject } from 'rxjs';
import { expect, it } from 'vitest';
import type { Candidate } from '../election/leadership.js';
import { ElectedProbers } from './elected-probers.js';

const candidate = (candidateId: string, since: bigint): Candidate => ({
  candidateId,
  value: '',
  since,
});

it('gives the candidates’ ids in their order, once for each change, and stands in the election', async () => {
  const log: string[] = [];
  const candidates = new Subject<readonly Candidate[]>();
  const probers = new ElectedProbers({
    candidates$: () => candidates,
    join: async (name) => void log.push(`joined ${name}`),
    leave: async (name) => void log.push(`left ${name}`),
  });
  const told: (readonly string[])[] = [];
  probers.candidates$.subscribe((ids) => told.push(ids));
  candidates.next([]);
  candidates.next([candidate('b', 1n), candidate('a', 2n)]);
  // One of them has come anew.
  candidates.next([candidate('b', 1n), candidate('a', 3n)]);
  candidates.next([candidate('a', 3n)]);
  expect(told).toEqual([[], ['b', 'a'], ['a']]);

  await probers.join();
  await probers.leave();
  expect(log).toEqual(['joined registry/probers', 'left registry/probers']);
});
