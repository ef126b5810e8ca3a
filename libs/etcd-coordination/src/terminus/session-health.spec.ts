import { describe, expect, it } from 'vitest';
import { EtcdAuthenticationError } from '../client/etcd.errors.js';
import type { CoordinationConnection } from '../module/coordination-connection.js';
import type { LeaseRefusal } from '../session/etcd-session.js';
import type { SessionState } from '../session/session-state.js';
import { sessionHealth, sessionLiveness } from './session-health.js';

const REFUSED_AFTER_MS = 60_000;

function connection(
  state: SessionState,
  {
    forMs,
    isLeaving = false,
    hasStarted = true,
  }: { forMs?: number; isLeaving?: boolean; hasStarted?: boolean } = {},
): CoordinationConnection {
  const error = new EtcdAuthenticationError('app', 'wrong password');
  const refusal: LeaseRefusal | null = forMs === undefined ? null : { error, forMs };
  const parts = { session: { state, lease: null, refusal } };
  return { isLeaving, hasStarted, parts } as unknown as CoordinationConnection;
}

describe('liveness', () => {
  it.each(['idle', 'connecting', 'active', 'suspect', 'lost'] as const)(
    'finds no fault with a session that is %s: a restart would not help',
    (state) => {
      expect(sessionLiveness(connection(state), REFUSED_AFTER_MS)).toEqual({
        details: { session: state },
      });
    },
  );

  it('is down when the connection is closed, unless the application is going', () => {
    expect(sessionLiveness(connection('closed'), REFUSED_AFTER_MS).down).toHaveLength(1);
    const leaving = connection('closed', { isLeaving: true, forMs: Infinity });
    expect(sessionLiveness(leaving, REFUSED_AFTER_MS).down).toBeUndefined();
  });

  it('is down when etcd has refused a lease for long, and tells of it before', () => {
    const soon = sessionLiveness(connection('connecting', { forMs: 59_999 }), REFUSED_AFTER_MS);
    expect(soon.down).toBeUndefined();
    expect(soon.details['message']).toMatch(/refused a lease for 60 s: .*app/);
    const late = sessionLiveness(connection('connecting', { forMs: 60_000 }), REFUSED_AFTER_MS);
    expect(late.down).toEqual([expect.stringMatching(/refused a lease for 60 s: .*app/)]);
  });
});

describe('the session in a readiness', () => {
  it('says why etcd refuses a lease, rather than that it is away', () => {
    const [refused] = sessionHealth(connection('connecting', { forMs: 1 })).degraded!;
    expect(refused).toContain('app');
    const [away] = sessionHealth(connection('connecting')).degraded!;
    expect(away).toContain('etcd does not answer');
  });

  it('is down before the first lease', () => {
    const starting = connection('connecting', { hasStarted: false });
    expect(sessionHealth(starting).down).toEqual(['etcd has not granted a lease yet.']);
  });
});
