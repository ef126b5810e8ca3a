import { onTestFinished } from 'vitest';
import type { EtcdClient } from '../../../libs/etcd-coordination/src/client/etcd-client.js';
import { EtcdSession } from '../../../libs/etcd-coordination/src/session/etcd-session.js';
import type { SessionLease } from '../../../libs/etcd-coordination/src/session/session-lease.js';
import type { SessionState } from '../../../libs/etcd-coordination/src/session/session-state.js';
import { rawEtcd } from '../../support/raw-etcd.js';
import { waitFor } from '../../support/wait-for.js';

/** A session with every state that it went through. It is closed when the test ends. */
export interface ObservedSession {
  readonly session: EtcdSession;
  readonly states: SessionState[];
}

/** A session that has not been started. */
export function observedSession(client: EtcdClient, ttlSeconds: number): ObservedSession {
  const session = new EtcdSession(client, { ttlSeconds });
  const states: SessionState[] = [];
  session.state$.subscribe((state) => states.push(state));
  onTestFinished(() => session.close());
  return { session, states };
}

export async function startSession(
  client: EtcdClient,
  ttlSeconds: number,
): Promise<ObservedSession & { readonly lease: SessionLease }> {
  const observed = observedSession(client, ttlSeconds);
  await observed.session.start();
  return { ...observed, lease: observed.session.lease! };
}

/** Puts a key on a lease, past the client under test. */
export async function putOnLease(endpoint: string, key: string, leaseId: string): Promise<void> {
  using etcd = rawEtcd(endpoint);
  await etcd.client.kv.put({ key: Buffer.from(key), value: Buffer.from('v'), lease: leaseId });
}

/** Whether a key is there, by a read of a quorum past the client under test. */
export async function keyStands(endpoint: string, key: string): Promise<boolean> {
  using etcd = rawEtcd(endpoint);
  return (await etcd.client.kv.range({ key: Buffer.from(key) })).kvs.length > 0;
}

/** Waits until the session has gone on to this state. */
export function reached({ states }: ObservedSession, state: SessionState, timeoutMs = 15_000) {
  const from = states.length;
  return waitFor(() => states.indexOf(state, from) >= 0 || states.at(-1) === state, {
    timeoutMs,
    what: () => `the state ${state}; seen: ${states.join(', ')}`,
  });
}

/** The moment of the monotonic clock at which a signal aborts. */
export function abortedAt(signal: AbortSignal): Promise<number> {
  return new Promise((resolve) =>
    signal.addEventListener('abort', () => resolve(performance.now()), { once: true }),
  );
}

/** Waits until a keepalive that is sent after this call, or is on its way, was answered. */
export async function renewal(lease: SessionLease): Promise<void> {
  const deadline = () => performance.now() + lease.remainingMs();
  const before = deadline();
  // Two readings of one deadline differ by less than that.
  const later = () => lease.isValid() && deadline() > before + 50;
  await waitFor(later, { timeoutMs: 15_000, what: 'a keepalive' });
}
