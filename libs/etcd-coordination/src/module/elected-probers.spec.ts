import { Subject } from 'rxjs';
import { expect, it } from 'vitest';
import type { Candidate } from '../election/leadership.js';
import { ElectedProbers } from './elected-probers.js';

const candidate = (candidateId: string, since: bigint, value = ''): Candidate => ({
  candidateId,
  value,
  since,
});

it('gives the candidates in their order with their doubts, once for each change, and stands in the election', async () => {
  const log: string[] = [];
  const candidates = new Subject<readonly Candidate[]>();
  const probers = new ElectedProbers({
    candidates$: () => candidates,
    join: async (name, options) => void log.push(`joined ${name} as "${options?.value}"`),
    leave: async (name) => void log.push(`left ${name}`),
  });
  const told: string[] = [];
  probers.candidates$.subscribe((all) => {
    told.push(all.map(({ id, doubts }) => (doubts ? `${id} doubts` : id)).join(', '));
  });
  candidates.next([]);
  candidates.next([candidate('b', 1n), candidate('a', 2n)]);
  // One of them has come anew.
  candidates.next([candidate('b', 1n), candidate('a', 3n)]);
  candidates.next([candidate('a', 3n)]);
  candidates.next([candidate('a', 3n, 'doubtful')]);
  expect(told).toEqual(['', 'b, a', 'a', 'a doubts']);

  await probers.join(true);
  await probers.join(false);
  await probers.leave();
  expect(log).toEqual([
    'joined registry/probers as "doubtful"',
    'joined registry/probers as ""',
    'left registry/probers',
  ]);
});
