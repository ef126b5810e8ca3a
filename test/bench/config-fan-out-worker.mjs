// One of many processes that follow a configuration by @WatchConfig. It tells its parent when each
// change reached it, by the monotonic clock that all processes of a machine share, and only when
// it is asked: what is measured is not this telling.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdCoordinationModule, WatchConfig } from '../../libs/etcd-coordination/dist/index.js';

const reached = new Map();

class Prices {
  changed(prices) {
    reached.set(prices.round, process.hrtime.bigint().toString());
  }
}
const method = Object.getOwnPropertyDescriptor(Prices.prototype, 'changed');
WatchConfig('prices')(Prices.prototype, 'changed', method);

class AppModule {}
Module({
  imports: [
    EtcdCoordinationModule.forRoot({ endpoints: [process.argv[2]], namespace: process.argv[3] }),
  ],
  providers: [Prices],
})(AppModule);

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
process.on('message', (message) => {
  if (message === 'tell') process.send([...reached]);
  else void app.close().then(() => process.disconnect());
});
process.on('disconnect', () => process.exit());
process.send('ready');
