import { createRequire } from 'node:module';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth';

const PACKAGE = 'etcdserverpb';
const SERVICES: readonly ServiceName[] = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance', 'Auth'];

const sizes = new WeakMap<object, number>();

let loaded: Record<ServiceName, ServiceDefinition> | undefined;

/** etcd's services, from the definitions that the etcd3 client ships; read once a process. */
export function etcdServices(): Record<ServiceName, ServiceDefinition> {
  loaded ??= load();
  return loaded;
}

/** How many bytes a request that this server decoded had on the wire. */
export function messageBytes(request: object): number {
  return sizes.get(request) ?? 0;
}

function load(): Record<ServiceName, ServiceDefinition> {
  const path = createRequire(import.meta.url).resolve('etcd3/proto/rpc.proto');
  const definitions = loadSync(path, {
    keepCase: true,
    longs: String,
    defaults: true,
    oneofs: true,
  });
  const services = SERVICES.map((name) => {
    const definition = definitions[`${PACKAGE}.${name}`] as ServiceDefinition;
    return [name, measured(definition)];
  });
  return Object.fromEntries(services) as Record<ServiceName, ServiceDefinition>;
}

/** The same service, whose requests remember their size. */
function measured(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => [
    name,
    {
      ...method,
      requestDeserialize: (bytes: Buffer) => {
        const request = method.requestDeserialize(bytes) as object;
        sizes.set(request, bytes.length);
        return request;
      },
    },
  ]);
  return Object.fromEntries(methods) as ServiceDefinition;
}
