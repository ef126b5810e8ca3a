// A Nest application with the library, from nothing to the first answer of etcd.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EtcdCoordinationModule, getEtcdToken } from '../../libs/etcd-coordination/dist/index.js';

class AppModule {}
Module({ imports: [EtcdCoordinationModule.forRoot({ endpoints: [process.argv[2]] })] })(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
await app.get(getEtcdToken()).get('bench/start').string();
process.stdout.write(`${performance.now()}\n`);
await app.close();
