import type { WatchHub } from '../watch/watch-hub.js';
import { span, wholeMs, type PartHealth } from './part-health.js';

/** How current the watches of a connection are, by the one that is worst off. */
export function watchHealth(hub: WatchHub, staleAfterMs: number): PartHealth {
  const statuses = hub.statuses();
  const oldest = statuses.reduce<(typeof statuses)[number] | null>(
    (worst, status) => (worst && worst.ageMs >= status.ageMs ? worst : status),
    null,
  );
  const details = {
    watches: {
      count: statuses.length,
      notListed: statuses.filter(({ isListed }) => !isListed).length,
      oldest: oldest && { name: oldest.name, ageMs: wholeMs(oldest.ageMs) },
    },
  };
  if (!oldest || oldest.ageMs <= staleAfterMs) return { details };
  const { name, isListed, ageMs } = oldest;
  const fault = isListed
    ? `was last known to be what etcd holds ${span(ageMs)} ago`
    : `was asked for ${span(ageMs)} ago and is not here yet`;
  return { details, degraded: [`What is watched at "${name}" ${fault}.`] };
}
