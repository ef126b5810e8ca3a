import { type DynamicModule, Module, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, vi } from 'vitest';
import { LOCK_GATES, LockGate } from '../../libs/etcd-coordination/src/lock/lock-gate.js';
import { FakeLocks } from './fake-locks.js';

const apps: TestingModule[] = [];

/** What stands in for etcd's locks, anew for each test of a file that calls {@link onLockGateStage}. */
export let locks: FakeLocks;

/** Has fresh locks before each test, and closes what was booted after it. */
export function onLockGateStage(): void {
  beforeEach(() => {
    locks = new FakeLocks();
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });
}

/** What the module provides of it, for one connection. */
export function gateModule(of: FakeLocks, connection = 'default'): DynamicModule {
  const provide = LOCK_GATES.token(connection);
  class GateModule {}
  Module({})(GateModule);
  return {
    module: GateModule,
    global: true,
    providers: [{ provide, useValue: new LockGate(of) }],
    exports: [provide],
  };
}

/** An application of these providers, in which locks are decorated as they are under the real module. */
export async function boot(
  providers: Type<object>[],
  imports: DynamicModule[] = [gateModule(locks)],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports, providers }).compile();
  apps.push(app);
  await app.init();
  return app;
}
