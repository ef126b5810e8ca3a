import { timeoutSignal } from '../client/clock.js';
import { EtcdUnavailableError } from '../client/etcd.errors.js';
import type { SessionLease } from '../session/session-lease.js';
import type { QueueGround } from './queue-ground.js';

/**
 * The lease of this process for one who does not wait for a lock: if it was just lost, the next one
 * within the time of a registration.
 *
 * @throws EtcdUnavailableError if there is none by then
 */
export async function leaseAtOnce(
  { session, client }: QueueGround,
  signal?: AbortSignal,
): Promise<SessionLease> {
  if (session.lease) return session.lease;
  const late = timeoutSignal(client.clock, client.options.timeouts.registration);
  try {
    return await session.ready(signal ? AbortSignal.any([signal, late]) : late);
  } catch (error) {
    if (!late.aborted || signal?.aborted) throw error;
    throw new EtcdUnavailableError('A lease for the lock', 'this process has none', error);
  }
}
