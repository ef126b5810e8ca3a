// A Nest application with a provider of plain etcd3, from nothing to the first answer of etcd.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Etcd3 } from 'etcd3';

class AppModule {}
const etcd = { provide: Etcd3, useFactory: () => new Etcd3({ hosts: process.argv[2] }) };
Module({ providers: [etcd] })(AppModule);
const app = await NestFactory.createApplicationContext(AppModule, { logger: false });
await app.get(Etcd3).get('bench/start').string();
process.stdout.write(`${performance.now()}\n`);
await app.close();
process.exit(0);
