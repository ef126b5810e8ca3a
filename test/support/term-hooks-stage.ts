import { Injectable, type ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, vi } from 'vitest';
import { FakeElections } from './fake-elections.js';
import { systemClock } from '../../libs/etcd-coordination/src/client/clock.js';
import { EtcdClient } from '../../libs/etcd-coordination/src/client/etcd-client.js';
import { currentTerm } from '../../libs/etcd-coordination/src/election/current-term.js';
import { ElectionService } from '../../libs/etcd-coordination/src/election/election.service.js';
import type { LeaderTerm } from '../../libs/etcd-coordination/src/election/leader-term.js';
import { OnElected } from '../../libs/etcd-coordination/src/election/on-elected.decorator.js';
import { OnRevoked } from '../../libs/etcd-coordination/src/election/on-revoked.decorator.js';
import { EtcdSession } from '../../libs/etcd-coordination/src/session/etcd-session.js';
import { WatchHub } from '../../libs/etcd-coordination/src/watch/watch-hub.js';
import { getCoordinationToken } from '../../libs/etcd-coordination/src/module/coordination.tokens.js';
import { EtcdCoordinationModule } from '../../libs/etcd-coordination/src/module/etcd-coordination.module.js';

/** What happened, in order; noted by the classes of a test. */
export const events: string[] = [];
const apps: TestingModule[] = [];

/** Begins each test with nothing noted, and ends the applications that it has started. */
export function useHookedApps(): void {
  beforeEach(() => void events.splice(0));
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
}

/** The whole module, with elections that the test decides. */
export async function bootHooked(
  elections: FakeElections,
  metadata: ModuleMetadata,
  connection = 'default',
): Promise<TestingModule> {
  const closing = { close: async () => undefined };
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [
      EtcdCoordinationModule.forRoot({ endpoints: ['127.0.0.1:1'], connection }),
      ...(metadata.imports ?? []),
    ],
  })
    .overrideProvider(getCoordinationToken(EtcdClient, connection))
    .useValue({ ...closing, etcd: {}, clock: systemClock })
    .overrideProvider(getCoordinationToken(EtcdSession, connection))
    .useValue({ ...closing, state: 'active', lease: {}, start: async () => undefined })
    .overrideProvider(getCoordinationToken(WatchHub, connection))
    .useValue(closing)
    .overrideProvider(getCoordinationToken(ElectionService, connection))
    .useValue(elections)
    .compile();
  apps.push(app);
  await app.init();
  return app;
}

/** Lets everything happen that needs no more than the present turn of the event loop. */
export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Notes the terms of one election. */
@Injectable()
export class HookedReconciler {
  @OnElected('jobs')
  start(term: LeaderTerm): void {
    events.push(`start ${term.epoch} in ${currentTerm()?.epoch}`);
  }
  @OnRevoked('jobs')
  stop(term: LeaderTerm): void {
    events.push(`stop ${term.epoch}: ${(term.signal.reason as { reason: string }).reason}`);
  }
}
