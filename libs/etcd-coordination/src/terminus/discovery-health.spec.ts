import { expect, it } from 'vitest';
import type { ServiceDiscovery } from '../discovery/service.discovery.js';
import type { ServiceStatus } from '../discovery/service-status.js';
import { EtcdPermissionDeniedError } from '../client/etcd.errors.js';
import { discoveryHealth } from './discovery-health.js';

const GOOD: ServiceStatus = {
  service: 'inventory',
  source: 'etcd',
  ageMs: 12.3,
  instances: 3,
  usable: 2,
  ejected: 1,
  protected: 0,
  error: null,
};

function health(status: Partial<ServiceStatus>, needed: string[] = [], isOver = false) {
  const asked: string[] = [];
  const discovery = {
    pool: (service: string) => asked.push(service),
    statuses: () => [{ ...GOOD, ...status }],
  } as unknown as ServiceDiscovery;
  return { ...discoveryHealth(discovery, needed, isOver), asked };
}

it('shows each service, and finds no fault with one whose instances are not needed', () => {
  expect(health({ usable: 0 })).toEqual({
    details: {
      services: {
        inventory: { source: 'etcd', ageMs: 12, instances: 3, usable: 0, ejected: 1, protected: 0 },
      },
    },
    missing: [],
    degraded: [],
    asked: [],
  });
});

it('misses what there is no list of', () => {
  const error = new EtcdPermissionDeniedError('A read', 'app');
  const { missing, details } = health({ source: 'none', ageMs: Infinity, error });
  expect(missing).toEqual([expect.stringMatching(/no list .* "inventory" yet\. .*app/)]);
  expect(details).toMatchObject({ services: { inventory: { ageMs: null } } });
});

it.each([
  ['the list of a snapshot', { source: 'snapshot' }, 'those that were known before'],
  ['protected instances', { protected: 5 }, '5 instances of the service "inventory" are gone'],
  ['a refusal', { error: new EtcdPermissionDeniedError('A read', 'app') }, 'may be old'],
] as const)('is degraded by %s', (_, status, words) => {
  expect(health(status).degraded).toEqual([expect.stringContaining(words)]);
});

it('follows what is needed, unless the application is going, and is degraded without any usable', () => {
  const found = health({ usable: 0 }, ['inventory']);
  expect(found.asked).toEqual(['inventory']);
  expect(found.degraded).toEqual(['No instance of the service "inventory" can take a call.']);
  expect(health({}, ['inventory'], true).asked).toEqual([]);
});
