import 'reflect-metadata';
import { type LogLevel, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ServiceDiscovery } from '../../../../libs/etcd-coordination/src/discovery/service.discovery.js';
import { EtcdCoordinationModule } from '../../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { moduleOptions, SERVICE } from './fleet-options.js';

/** A Nest application that calls others, and is called by nobody. */
export async function startCallerApp(
  endpoints: readonly string[],
  id: string,
  logger: false | LogLevel[],
): Promise<{ discovery: ServiceDiscovery; close: () => Promise<void> }> {
  const root = EtcdCoordinationModule.forRoot(moduleOptions(endpoints, id));
  @Module({ imports: [root] })
  class CallerModule {}
  const app = await NestFactory.createApplicationContext(CallerModule, {
    logger,
    abortOnError: false,
  });
  const discovery = app.get(ServiceDiscovery);
  await discovery.ready(SERVICE);
  return { discovery, close: () => app.close() };
}
