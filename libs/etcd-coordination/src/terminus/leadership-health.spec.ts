import { expect, it } from 'vitest';
import type { ElectionService } from '../election/election.service.js';
import type { ElectionStatus } from '../election/election-status.js';
import type { LeaderTerm } from '../election/leader-term.js';
import type { SessionState } from '../session/session-state.js';
import { leadershipHealth } from './leadership-health.js';

const FOLLOWS: ElectionStatus = {
  election: 'reconciler',
  candidacy: 'waiting',
  term: null,
  leader: { election: 'reconciler', leaderId: 'b', value: '', epoch: 7n },
  error: null,
};

function health(status: Partial<ElectionStatus>, session: SessionState = 'active') {
  const statuses = () => [{ ...FOLLOWS, ...status }];
  return leadershipHealth({ statuses } as ElectionService, session);
}

it('shows who leads', () => {
  expect(health({})).toEqual({
    details: {
      leadership: {
        reconciler: {
          ...{ leads: false, suspect: false, candidacy: 'waiting', epoch: '7', leaderId: 'b' },
        },
      },
    },
    degraded: [],
  });
});

it('says of its own term that it is suspect while etcd does not answer', () => {
  const led = { candidacy: 'leading', term: { epoch: 9n } as LeaderTerm } as const;
  const at = (session: SessionState) => health(led, session).details;
  expect(at('active')).toMatchObject({
    leadership: { reconciler: { leads: true, suspect: false, epoch: '9' } },
  });
  expect(at('suspect')).toMatchObject({
    leadership: { reconciler: { leads: true, suspect: true } },
  });
});

it('is degraded while it does not stand though it could', () => {
  expect(health({ candidacy: 'entering' }).degraded).toHaveLength(1);
  expect(health({ candidacy: 'entering' }, 'lost').degraded).toEqual([]);
  expect(health({ candidacy: null }).degraded).toEqual([]);
});
