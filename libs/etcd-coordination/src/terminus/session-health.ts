import type { CoordinationConnection } from '../module/coordination-connection.js';
import type { PartHealth } from './part-health.js';

/** How this process stands with etcd: its session, from the first lease to the end. */
export function sessionHealth(connection: CoordinationConnection): PartHealth {
  const { session } = connection.parts;
  const { state, lease } = session;
  const details = {
    session: state,
    lease: lease && {
      // As etcdctl writes it.
      id: BigInt(lease.id).toString(16),
      remainingMs: Math.round(lease.remainingMs()),
    },
  };
  if (connection.isLeaving || state === 'closing' || state === 'closed') {
    return { details, down: ['The application is shutting down.'] };
  }
  if (!connection.hasStarted) {
    return connection.hasStartedWithout
      ? { details, degraded: [withoutLease(connection)] }
      : { details, down: ['etcd has not granted a lease yet.'] };
  }
  if (state === 'active') return { details };
  return { details, degraded: [session.refusal?.error.message ?? AWAY] };
}

const AWAY = 'etcd does not answer; leadership ends, if it does not answer soon.';

function withoutLease({ parts }: CoordinationConnection): string {
  return parts.client.isAwaited
    ? 'etcd has not been reached since the start; the configuration is that of the snapshot, and this process leads nothing until it is.'
    : 'etcd has been reached, and has not granted a lease yet; this process leads nothing until it does.';
}

/** Whether a restart would help: as long as etcd is merely away, it would not. */
export function sessionLiveness(
  connection: CoordinationConnection,
  refusedAfterMs: number,
): PartHealth {
  const { session } = connection.parts;
  const { state, refusal } = session;
  const details = { session: state };
  // It ends by itself.
  if (connection.isLeaving) return { details };
  if (state === 'closed') {
    return {
      details,
      down: ['The connection to etcd is closed; only a restart opens another one.'],
    };
  }
  if (!refusal) return { details };
  const message = `etcd has refused a lease for ${Math.round(refusal.forMs / 1000)} s: ${refusal.error.message}`;
  if (refusal.forMs < refusedAfterMs) return { details: { ...details, message } };
  return { details, down: [message] };
}
