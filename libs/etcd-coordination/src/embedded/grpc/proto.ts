import { createRequire } from 'node:module';
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

export type ServiceName = 'KV' | 'Watch' | 'Lease' | 'Cluster' | 'Maintenance' | 'Auth';

const PACKAGE = 'etcdserverpb';
const SERVICES: readonly ServiceName[] = ['KV', 'Watch', 'Lease', 'Cluster', 'Maintenance', 'Auth'];

const wireBytes = new WeakMap<object, Buffer>();

let loaded: Record<ServiceName, ServiceDefinition> | undefined;

/** etcd's services, from the definitions that the etcd3 client ships; read once a process. */
export function etcdServices(): Record<ServiceName, ServiceDefinition> {
  loaded ??= load();
  return loaded;
}

/** A request that this server decoded, as it was on the wire. */
export function bytesOf(request: object): Buffer {
  const bytes = wireBytes.get(request);
  if (!bytes) throw new Error('This request was not decoded here.');
  return bytes;
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
    return [name, remembering(definition)];
  });
  return Object.fromEntries(services) as Record<ServiceName, ServiceDefinition>;
}

/** The same service, whose requests remember their bytes. */
function remembering(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries(service).map(([name, method]) => [
    name,
    {
      ...method,
      requestDeserialize: (bytes: Buffer) => {
        const request = method.requestDeserialize(bytes) as object;
        wireBytes.set(request, bytes);
        return request;
      },
    },
  ]);
  return Object.fromEntries(methods) as ServiceDefinition;
}
