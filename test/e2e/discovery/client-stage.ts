import {
  Global,
  Module,
  type DynamicModule,
  type INestApplication,
  type Type,
} from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterEach } from 'vitest';
import { ServiceDiscovery } from '../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import type { ServiceInstance } from '../../../libs/etcd-coordination/src/registry/service-instance.js';
import { FakeServicePool } from '../../support/fake-service-pool.js';
import { serviceInstance } from '../../support/service-instances.js';

/** What is to be closed after each test of the file, the last that was opened first. */
export type Closers = (() => unknown)[];

export function useClosers(): Closers {
  const closers: Closers = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  return closers;
}

/** An instance that listens on this machine. */
export function at(id: string, port: number, protocol: 'tcp' | 'grpc' = 'tcp'): ServiceInstance {
  const host = '127.0.0.1';
  return serviceInstance(id, { protocol, host, port, address: `${protocol}://${host}:${port}` });
}

export function poolOf(...instances: readonly ServiceInstance[]): FakeServicePool {
  return new FakeServicePool('stock', instances);
}

/** In the place of the etcd module: what an application knows of its services. */
export function registryOf(pools: Record<string, FakeServicePool>): DynamicModule {
  @Global()
  @Module({})
  class RegistryModule {}
  const discovery = { pool: (service: string) => pools[service] ?? FakeServicePool.of() };
  return {
    module: RegistryModule,
    providers: [{ provide: ServiceDiscovery, useValue: discovery }],
    exports: [ServiceDiscovery],
  };
}

/** Starts an application that is closed after the test. */
export async function boot(
  closers: Closers,
  ...imports: (DynamicModule | Type)[]
): Promise<INestApplication> {
  const module = await Test.createTestingModule({ imports }).compile();
  const app = module.createNestApplication({ logger: false });
  closers.push(() => app.close());
  return app.init();
}
