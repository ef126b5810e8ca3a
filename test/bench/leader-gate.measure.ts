import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdCoordinationModule, ElectionService, Leader } from 'nestjs-etcd-coordination';
import type { Measure } from './alternate.js';

const CALLS = 10_000;

@Injectable()
class Counter {
  count = 0;

  bare(): void {
    this.count += 1;
  }

  @Leader('gate')
  gated(): void {
    this.count += 1;
  }
}

/** What `@Leader` adds to a call of a method, on the leader. */
export async function leaderGateMeasure(
  endpoint: string,
): Promise<{ measure: Measure; close(): Promise<void> }> {
  @Module({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: [endpoint], namespace: 'bench/gate' })],
    providers: [Counter],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  await app.init();
  const elections = app.get(ElectionService);
  await new Promise<void>((resolve) => {
    const leads = elections.term$('gate').subscribe((term) => {
      if (!term) return;
      resolve();
      queueMicrotask(() => leads.unsubscribe());
    });
  });
  const counter = app.get(Counter);
  const contender = (name: string, call: () => void) => ({
    name,
    run() {
      const start = performance.now();
      for (let i = 0; i < CALLS; i++) call();
      return Promise.resolve(((performance.now() - start) * 1000) / CALLS);
    },
  });
  const measure: Measure = {
    title: `a call of a method gated by @Leader, ${CALLS} in a row`,
    unit: 'µs/call',
    rounds: 30,
    contenders: [
      contender('bare method', () => counter.bare()),
      contender('@Leader method', () => counter.gated()),
    ],
    atMost: 2,
  };
  return { measure, close: () => app.close() };
}
