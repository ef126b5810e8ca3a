import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { ScheduleModule } from '@nestjs/schedule';
import { TerminusModule } from '@nestjs/terminus';
import { EtcdCoordinationModule, type TrafficOptions } from 'nestjs-etcd-coordination';
import { ConfigHealthIndicator, EtcdHealthIndicator } from 'nestjs-etcd-coordination/terminus';
import { PriceList } from './config/price-list.service.js';
import { DemoKeys } from './data/demo-keys.js';
import { AuditController } from './http/audit.controller.js';
import { ConfigController } from './http/config.controller.js';
import { CoordinationController } from './http/coordination.controller.js';
import { EtcdErrorsFilter } from './http/etcd-errors.filter.js';
import { FreezeController } from './http/freeze.controller.js';
import { HealthController } from './http/health.controller.js';
import { DemoFreeze } from './reconcile/freeze.service.js';
import { Reconciler } from './reconcile/reconciler.service.js';
import { Settlement } from './reconcile/settlement.service.js';
import { DEMO_SETTINGS, type DemoSettings } from './settings.js';

/**
 * What the two services have in common: the connection to etcd, the reconciler that runs in
 * whichever process leads, and what each process says of itself over HTTP.
 */
@Module({})
export class DemoSharedModule {
  /** @param traffic the limits, policies and switches of the service, if it has any */
  static register(settings: DemoSettings, traffic?: TrafficOptions): DynamicModule {
    const keys = new DemoKeys(settings.prefix);
    return {
      module: DemoSharedModule,
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: settings.endpoints,
          namespace: keys.coordination,
          instanceId: settings.instanceId,
          session: { ttlSeconds: settings.ttlSeconds },
          service: {
            name: settings.service,
            address: settings.address,
            zone: settings.zone ?? undefined,
            metadata: { track: settings.track },
            // Short, so that nobody has to wait long for it to show.
            health: {
              ...{ intervalMs: 500, timeoutMs: 400, failures: 2, passes: 2 },
              probe: { kind: 'http', target: '/health/live', timeoutMs: 1000, intervalMs: 1000 },
            },
          },
          // A new process takes its full share at once: there is little to warm up here.
          discovery: {
            slowStartMs: 0,
            ...(settings.snapshot && { snapshot: { file: `${settings.snapshot.file}.services` } }),
          },
          config: settings.snapshot ? { snapshot: settings.snapshot } : undefined,
          traffic,
          // An order is answered so much later, and its record shares a transaction more often.
          batcher: { windowMs: 5 },
        }),
        ScheduleModule.forRoot(),
        TerminusModule.forRoot({ logger: false }),
      ],
      controllers: [
        AuditController,
        ConfigController,
        CoordinationController,
        HealthController,
        ...(settings.demo ? [FreezeController] : []),
      ],
      providers: [
        { provide: DEMO_SETTINGS, useValue: settings },
        { provide: DemoKeys, useValue: keys },
        { provide: APP_FILTER, useClass: EtcdErrorsFilter },
        ConfigHealthIndicator,
        DemoFreeze,
        EtcdHealthIndicator,
        PriceList,
        Reconciler,
        Settlement,
      ],
      exports: [DEMO_SETTINGS, DemoKeys, PriceList],
    };
  }
}
