/** A Nest service with live configuration, a snapshot and an election, that tells what it sees. */
import 'reflect-metadata';
import { createInterface } from 'node:readline';
import { Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ConfigChange } from '../../../libs/etcd-coordination/src/config/config-change.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { WatchConfig } from '../../../libs/etcd-coordination/src/config/watch-config.decorator.js';
import type { LeaderTerm } from '../../../libs/etcd-coordination/src/election/leader-term.js';
import { OnElected } from '../../../libs/etcd-coordination/src/election/on-elected.decorator.js';
import { EtcdCoordinationModule } from '../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';

interface Prices {
  readonly perItem: number;
}

const [endpoint, file, encryptionKey] = process.argv.slice(2) as [string, string, string];
const say = (message: object) => console.log(JSON.stringify(message));

@Injectable()
class Pricing implements OnModuleInit {
  @WatchConfig('prices') readonly prices!: Prices;

  constructor(readonly store: ConfigStore) {}

  onModuleInit(): void {
    say({ type: 'loaded', prices: this.prices, source: this.store.status()[0]?.source });
  }

  @WatchConfig('prices')
  told(prices: Prices, { previous, source }: ConfigChange<Prices>): void {
    say({ type: 'told', perItem: prices.perItem, previous: previous?.perItem, source });
  }

  @OnElected('pricing')
  elected({ epoch }: LeaderTerm): void {
    say({ type: 'elected', epoch: epoch.toString() });
  }
}

@Module({
  imports: [
    EtcdCoordinationModule.forRoot({
      endpoints: [endpoint],
      namespace: 'restart',
      service: { name: 'pricing' },
      session: { ttlSeconds: 2 },
      // A start that waits for anything but the connection would take all day.
      timeouts: { read: 60_000, registration: 60_000 },
      config: { snapshot: { file, ...(encryptionKey && { encryptionKey }) } },
    }),
  ],
  providers: [Pricing],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { abortOnError: false });
say({ type: 'started' });

const input = createInterface({ input: process.stdin }).on('line', () => {
  input.close();
  process.stdin.destroy();
  // What keeps the process alive after this is a fault.
  void app.close().then(() => say({ type: 'closed' }));
});
