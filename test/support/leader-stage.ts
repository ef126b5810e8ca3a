import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach } from 'vitest';
import type { FakeElections } from './fake-elections.js';
import { currentTerm } from '../../libs/etcd-coordination/src/election/current-term.js';
import { LEADER_GATES, LeaderGate } from '../../libs/etcd-coordination/src/election/leader-gate.js';
import { Leader } from '../../libs/etcd-coordination/src/election/leader.decorator.js';

/** The applications of a test, which end with it. */
const apps: TestingModule[] = [];

/** Has a suite end the applications that its tests have started. */
export function closeAppsAfterEach(): void {
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
}

/** What the module provides of it, for one connection. */
export function gateModule(elections: FakeElections, connection = 'default'): DynamicModule {
  const provide = LEADER_GATES.token(connection);
  class GateModule {}
  Module({})(GateModule);
  return {
    module: GateModule,
    global: true,
    providers: [{ provide, useValue: new LeaderGate(elections, 'me') }],
    exports: [provide],
  };
}

/** Starts an application whose gates ask these elections. */
export async function bootGated(
  elections: FakeElections,
  providers: Type<object>[],
  imports: DynamicModule[] = [],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({
    imports: [gateModule(elections), ...imports],
    providers,
  }).compile();
  apps.push(app);
  await app.init();
  return app;
}

/** Does what only the leader may, in every way in which a method can. */
@Injectable()
export class LeaderWorker {
  readonly runs: string[] = [];

  @Leader('jobs')
  note(what: string): void {
    this.runs.push(`${what} in ${currentTerm()?.epoch}`);
  }

  @Leader('jobs')
  async noteLater(what: string): Promise<void> {
    await Promise.resolve();
    this.runs.push(`${what} in ${currentTerm()?.epoch}`);
  }

  @Leader('jobs', { otherwise: 'throw' })
  sum(a: number, b: number): number {
    return a + b;
  }

  @Leader('jobs', { otherwise: 'throw' })
  async sumLater(a: number, b: number): Promise<number> {
    return a + b;
  }

  callItself(): void {
    this.note('self');
  }
}
