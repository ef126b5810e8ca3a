import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ConfigStore, EtcdCoordinationModule, WatchConfig } from 'nestjs-etcd-coordination';
import type { Contender, Measure } from './alternate.js';

const READS = 1_000_000;

interface Prices {
  readonly bolt: number;
}

const DEFAULT: Prices = { bolt: 1 };

@Injectable()
class Shop {
  @WatchConfig('prices', { default: DEFAULT })
  readonly prices!: Prices;
}

/** What a read of a watched value takes, by its handle and by `@WatchConfig`, beside a field. */
export async function configReadMeasures(
  endpoint: string,
): Promise<{ measures: Measure[]; close(): Promise<void> }> {
  @Module({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: [endpoint], namespace: 'bench/read' })],
    providers: [Shop],
  })
  class AppModule {}

  const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
  const watched = await app.get(ConfigStore).watch<Prices>('prices', { default: DEFAULT });
  const shop = app.get(Shop);
  const bare = { value: DEFAULT };
  let sum = 0;
  // Each loop is a function of its own: sharing one would have the engine give up on it.
  const readField = () => {
    for (let i = 0; i < READS; i++) sum += bare.value.bolt;
  };
  const readHandle = () => {
    for (let i = 0; i < READS; i++) sum += watched.value.bolt;
  };
  const readProperty = () => {
    for (let i = 0; i < READS; i++) sum += shop.prices.bolt;
  };
  const contender = (name: string, read: () => void): Contender => ({
    name,
    run() {
      const start = performance.now();
      read();
      const took = performance.now() - start;
      if (sum === 0) throw new Error('Nothing was read.');
      return Promise.resolve((took * 1e6) / READS);
    },
  });
  const measure = (what: string, read: () => void): Measure => ({
    title: `a read of a watched configuration, ${what}, ${READS} in a row`,
    unit: 'ns/read',
    rounds: 30,
    contenders: [contender('field', readField), contender(what, read)],
    atMost: 50,
  });
  return {
    measures: [measure('watched.value', readHandle), measure('@WatchConfig', readProperty)],
    close: () => app.close(),
  };
}
