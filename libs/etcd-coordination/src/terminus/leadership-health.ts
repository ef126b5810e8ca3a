import type { ElectionService } from '../election/election.service.js';
import type { ElectionStatus } from '../election/election-status.js';
import type { SessionState } from '../session/session-state.js';
import type { PartHealth } from './part-health.js';

/** Who leads the elections that this process stands in or follows, and whether that is in doubt. */
export function leadershipHealth(elections: ElectionService, session: SessionState): PartHealth {
  const statuses = elections.statuses();
  return {
    details: {
      leadership: Object.fromEntries(
        statuses.map((status) => [status.election, shown(status, session)]),
      ),
    },
    degraded: statuses.flatMap((status) => faultOf(status, session) ?? []),
  };
}

function shown({ candidacy, term, leader, error }: ElectionStatus, session: SessionState) {
  return {
    leads: term !== null,
    // It leads until its lease is over, and not longer if etcd does not answer.
    suspect: term !== null && session !== 'active',
    candidacy,
    epoch: (term?.epoch ?? leader?.epoch)?.toString() ?? null,
    leaderId: leader?.leaderId ?? null,
    ...(error && { message: error.message }),
  };
}

function faultOf(
  { election, candidacy, error }: ElectionStatus,
  session: SessionState,
): string | null {
  const name = JSON.stringify(election);
  if (error) return `The election ${name} cannot be followed: ${error.message}`;
  const isOut = candidacy === 'preparing' || candidacy === 'entering';
  // Without a lease it could not; the session says so.
  if (!isOut || session !== 'active') return null;
  return `This process does not stand in the election ${name} yet.`;
}
