import { readFileSync } from 'node:fs';
import type { INestApplicationContext, Provider, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Etcd3 } from 'etcd3';
import { ConfigStore } from '../../../../libs/etcd-coordination/src/config/config.store.js';
import { ElectionService } from '../../../../libs/etcd-coordination/src/election/election.service.js';
import { LockService } from '../../../../libs/etcd-coordination/src/lock/lock.service.js';
import { getEtcdToken } from '../../../../libs/etcd-coordination/src/module/coordination.tokens.js';
import { EtcdCoordinationModule } from '../../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { EtcdTransactions } from '../../../../libs/etcd-coordination/src/transaction/etcd-transactions.js';
import { WatchService } from '../../../../libs/etcd-coordination/src/watch/watch.service.js';
import type { WorkerPart } from '../../works/work.js';
import type { Access, SystemUnderTest } from '../system.js';

/** Work in progress has so long to end when the application closes. */
const DRAIN_MS = 5_000;

/** A part in this library: it may bring classes of its own, with decorators, into the application's module. */
export interface OursPart extends WorkerPart<OursSystem> {
  readonly providers?: readonly Provider[];
}

/** A Nest application with the library's module, as a service has it. */
export class OursSystem implements SystemUnderTest {
  private constructor(private readonly app: INestApplicationContext) {}

  static async start(
    this: void,
    access: Access,
    parts: readonly WorkerPart[],
  ): Promise<OursSystem> {
    class AppModule {}
    const app = await NestFactory.createApplicationContext(
      {
        module: AppModule,
        imports: [
          EtcdCoordinationModule.forRoot({
            endpoints: access.endpoints,
            namespace: access.namespace,
            instanceId: access.instanceId,
            // The member list shows the members' own addresses: past the proxies, and past most faults.
            endpointSyncInterval: 0,
            session: { ttlSeconds: access.ttlSeconds },
            shutdown: { drainTimeoutMs: DRAIN_MS },
            config: { snapshot: { file: access.snapshotFile } },
            // The revision check is to have its chance within a run of a minute.
            watch: { checkIntervalMs: 10_000 },
            ...(access.auth && { auth: access.auth }),
            ...(access.caFile !== undefined && {
              credentials: { rootCertificate: readFileSync(access.caFile) },
            }),
          }),
        ],
        providers: (parts as readonly OursPart[]).flatMap(({ providers = [] }) => providers),
      },
      { abortOnError: false, logger: ['error', 'fatal', 'warn'] },
    );
    return new OursSystem(app);
  }

  get locks(): LockService {
    return this.get(LockService);
  }

  get elections(): ElectionService {
    return this.get(ElectionService);
  }

  get transactions(): EtcdTransactions {
    return this.get(EtcdTransactions);
  }

  get configs(): ConfigStore {
    return this.get(ConfigStore);
  }

  get watches(): WatchService {
    return this.get(WatchService);
  }

  /** The raw client, whose keys are whole ones. */
  get etcd(): Etcd3 {
    return this.app.get<Etcd3>(getEtcdToken());
  }

  get<T>(type: Type<T>): T {
    return this.app.get(type);
  }

  close(): Promise<void> {
    return this.app.close();
  }
}

/** What ends a start when etcd is away, has just lost its leader, or is full. */
const OUTAGES: readonly unknown[] = [
  'ETCD_CONNECT_FAILED',
  'ETCD_UNAVAILABLE',
  'ETCD_TIMEOUT',
  'ETCD_NO_SPACE',
  'WRITE_OUTCOME_UNKNOWN',
  'SESSION_LOST',
  'CONFIG_UNAVAILABLE',
];

export function isOutage(this: void, error: unknown): boolean {
  return OUTAGES.includes((error as { code?: unknown } | null)?.code);
}
