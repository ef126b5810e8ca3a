import type { EtcdClient } from '../client/etcd-client.js';
import type { ConfigStore } from '../config/config.store.js';
import type { EtcdSession } from '../session/etcd-session.js';
import { LIMITS } from '../traffic/limit/rate-limit-rule.js';
import { RateLimiter } from '../traffic/limit/rate-limiter.js';
import { LiveDocuments } from '../traffic/live-documents.js';
import { POLICY_KIND } from '../traffic/resilience/policy-kind.js';
import { Resilience } from '../traffic/resilience/resilience.service.js';
import { Switches } from '../traffic/switches/switches.js';
import { WriteBatcher } from '../transaction/write-batcher.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';

/** What keeps the calls of a connection's application steady, and its writes few. */
export interface TrafficParts {
  readonly limiter: RateLimiter;
  readonly resilience: Resilience;
  readonly switches: Switches;
  readonly batcher: WriteBatcher;
}

/** Builds what a connection has of that; nothing begins by that. */
export function trafficParts(
  client: EtcdClient,
  session: EtcdSession,
  watch: WatchHub,
  store: ConfigStore,
  { namespace, instanceId, traffic, batcher }: ResolvedCoordinationOptions,
): TrafficParts {
  const ground = { client, session, watch, namespace, instanceId };
  return {
    limiter: new RateLimiter(ground, new LiveDocuments(store, LIMITS, traffic.limits)),
    resilience: new Resilience(new LiveDocuments(store, POLICY_KIND, traffic.policies), {
      clock: client.clock,
    }),
    switches: new Switches({ ...ground, store }, traffic.switches),
    batcher: new WriteBatcher({ client, namespace, session }, batcher),
  };
}

/**
 * Writes what is gathered, and gives this process's shares of limits back. Never rejects.
 *
 * @param drainTimeoutMs what is gathered and not sent by then is refused
 */
export async function closeTraffic(
  { limiter, resilience, switches, batcher }: TrafficParts,
  drainTimeoutMs: number,
): Promise<void> {
  resilience.close();
  await Promise.all([batcher.close(drainTimeoutMs), limiter.close(), switches.close()]);
}
