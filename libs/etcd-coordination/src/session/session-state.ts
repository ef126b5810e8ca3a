/**
 * Where a session stands.
 *
 * - `idle`: not started yet
 * - `connecting`: asking for a lease
 * - `active`: holds a lease whose last keepalive was answered
 * - `suspect`: holds a lease, but a keepalive was not answered in time
 * - `lost`: the lease's deadline has passed, or etcd said that it is gone
 * - `closing`: revoking the lease
 * - `closed`: over for good
 */
export type SessionState =
  'idle' | 'connecting' | 'active' | 'suspect' | 'lost' | 'closing' | 'closed';

/** What moves a session from one state to another. */
export type SessionEvent =
  'started' | 'granted' | 'answered' | 'missed' | 'expired' | 'retried' | 'close-asked' | 'ended';

const TRANSITIONS: Record<SessionState, Partial<Record<SessionEvent, SessionState>>> = {
  idle: { started: 'connecting', 'close-asked': 'closing' },
  connecting: { granted: 'active', 'close-asked': 'closing' },
  active: { answered: 'active', missed: 'suspect', expired: 'lost', 'close-asked': 'closing' },
  suspect: { answered: 'active', missed: 'suspect', expired: 'lost', 'close-asked': 'closing' },
  lost: { retried: 'connecting', 'close-asked': 'closing' },
  closing: { ended: 'closed' },
  closed: {},
};

/** The state after `event`, or null if the event means nothing in this state. */
export function nextSessionState(state: SessionState, event: SessionEvent): SessionState | null {
  return TRANSITIONS[state][event] ?? null;
}
