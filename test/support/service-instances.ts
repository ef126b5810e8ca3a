import type { ServiceInstance } from '../../libs/etcd-coordination/src/registry/service-instance.js';

/** An instance as the registry shows it, up and in no zone, with what else is said of it. */
export function serviceInstance(id: string, some: Partial<ServiceInstance> = {}): ServiceInstance {
  const state = some.state ?? 'up';
  return {
    service: 'stock',
    id,
    address: 'http://10.0.0.1:3000',
    protocol: 'http',
    host: '10.0.0.1',
    port: 3000,
    zone: null,
    weight: 1,
    version: null,
    metadata: {},
    probe: null,
    state,
    words: [{ state, source: 'instance', by: id, reason: null }],
    lease: '1',
    createRevision: 1n,
    isProtected: false,
    ...some,
  };
}
