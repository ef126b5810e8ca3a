import { describe, expect, it } from 'vitest';
import { localGrantOf } from '../context/fence.js';
import type { SessionLease } from '../session/session-lease.js';
import type { TermEndReason } from './leader-term.js';
import { OwnTerm } from './own-term.js';

const fence = { resource: 'election/e', key: 'ns/election/e/1', revision: 7n, token: 7n };

/** A term on a lease that stands until it is told otherwise. */
function begin() {
  const lease = { valid: true, isValid: () => lease.valid, remainingMs: () => 100 };
  const term = new OwnTerm('e', fence, lease as unknown as SessionLease, async () => undefined);
  return { lease, term, grant: localGrantOf(term.fence)! };
}

describe('the fence of a term', () => {
  it('is what it was made of, for everybody else', () => {
    const { term, grant } = begin();
    expect({ ...term.fence }).toEqual(fence);
    expect(grant.key).toBe(fence.key);
    expect(grant.isValid()).toBe(true);
  });

  it.each<TermEndReason>(['session-lost', 'key-deleted', 'refused'])(
    'is refused here once the term is lost (%s)',
    (reason) => {
      const { term, grant } = begin();
      term.end(reason);
      expect(grant.isValid()).toBe(false);
    },
  );

  it.each<TermEndReason>(['resigned', 'left', 'shutdown'])(
    'lets work that drains write its end, until the key is gone (%s)',
    (reason) => {
      const { term, grant, lease } = begin();
      term.end(reason);
      expect(term.isValid()).toBe(false);
      expect(grant.isValid()).toBe(true);
      lease.valid = false;
      expect(grant.isValid()).toBe(false);
    },
  );

  it('is refused by the clock, before anybody is told of the loss', () => {
    const { grant, lease } = begin();
    lease.valid = false;
    expect(grant.isValid()).toBe(false);
  });
});
