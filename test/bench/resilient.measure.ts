import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdCoordinationModule, Resilient } from 'nestjs-etcd-coordination';
import type { Measure } from './alternate.js';

const CALLS = 10_000;

/** Every part that stands around a call, and none that has anything to do. */
const EVERYTHING = {
  timeoutMs: 1000,
  retry: { attempts: 3 },
  breaker: { kind: 'ratio', threshold: 0.5, minCalls: 20 },
  bulkhead: { concurrent: 100, queue: 100 },
  hedge: { afterMs: 500 },
} as const;

@Injectable()
class Dependency {
  count = 0;

  async bare(): Promise<void> {
    this.count += 1;
  }

  @Resilient('nothing')
  async underNothing(): Promise<void> {
    this.count += 1;
  }

  @Resilient('everything', { fallback: () => undefined })
  async underEverything(): Promise<void> {
    this.count += 1;
  }

  @Resilient('everything', { idempotent: true })
  async hedged(): Promise<void> {
    this.count += 1;
  }
}

/** What `@Resilient` adds to a call of a method while nothing fails, above the bare call. */
export async function resilientMeasure(
  endpoint: string,
): Promise<{ measure: Measure; close(): Promise<void> }> {
  @Module({
    imports: [
      EtcdCoordinationModule.forRoot({
        endpoints: [endpoint],
        namespace: 'bench/resilient',
        traffic: { policies: { nothing: {}, everything: EVERYTHING } },
      }),
    ],
    providers: [Dependency],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const dependency = app.get(Dependency);
  const timed = async (call: () => Promise<void>) => {
    const start = performance.now();
    for (let i = 0; i < CALLS; i++) await call();
    return ((performance.now() - start) * 1000) / CALLS;
  };
  let bare = 0;
  const contender = (name: string, call: () => Promise<void>) => ({
    name,
    run: async () => (await timed(call)) - bare,
  });
  const measure: Measure = {
    title: `a call of a method marked @Resilient, everything closed, above the bare call, ${CALLS} in a row`,
    unit: 'µs/call',
    rounds: 30,
    contenders: [
      { name: 'bare method', run: async () => (bare = await timed(() => dependency.bare())) },
      contender('all parts', () => dependency.underEverything()),
      contender('all, idempotent', () => dependency.hedged()),
      contender('a policy without any', () => dependency.underNothing()),
    ],
    atMost: 5,
  };
  return { measure, close: () => app.close() };
}
