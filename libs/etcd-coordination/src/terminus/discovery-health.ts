import type { ServiceDiscovery } from '../discovery/service.discovery.js';
import type { ServiceStatus } from '../discovery/service-status.js';
import { wholeMs, type PartHealth } from './part-health.js';

/**
 * How the services that this process follows stand.
 *
 * @param needed those that it cannot do without; they are followed from now on
 */
export function discoveryHealth(
  discovery: ServiceDiscovery,
  needed: readonly string[],
  isOver: boolean,
): PartHealth {
  // Nothing new can be followed any more.
  if (!isOver) for (const service of needed) discovery.pool(service);
  const statuses = discovery.statuses();
  return {
    details: { services: Object.fromEntries(statuses.map((one) => [one.service, shown(one)])) },
    missing: statuses
      .filter(({ source }) => source === 'none')
      .map(({ service, error }) => `${noList(service)}${error ? ` ${error.message}` : ''}`),
    degraded: statuses
      .filter(({ source }) => source !== 'none')
      .flatMap((status) => faultsOf(status, needed.includes(status.service))),
  };
}

function noList(service: string): string {
  return `There is no list of the instances of the service "${service}" yet.`;
}

function shown({ source, ageMs, instances, usable, ejected, protected: kept }: ServiceStatus) {
  return { source, ageMs: wholeMs(ageMs), instances, usable, ejected, protected: kept };
}

function faultsOf(status: ServiceStatus, isNeeded: boolean): string[] {
  const { service, source, usable, protected: kept, error } = status;
  const name = `the service "${service}"`;
  return [
    ...(source === 'snapshot'
      ? [`The instances of ${name} are those that were known before, until etcd answers.`]
      : []),
    ...(kept > 0
      ? [`${kept} instances of ${name} are gone from etcd, and kept as protected.`]
      : []),
    ...(error ? [`What is known of ${name} may be old: ${error.message}`] : []),
    ...(isNeeded && usable === 0 ? [`No instance of ${name} can take a call.`] : []),
  ];
}
