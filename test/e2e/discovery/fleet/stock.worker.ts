/** An instance of a service, as any Nest application is one: registered by the module, ended by SIGTERM. */
import 'reflect-metadata';
import type { Server } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type BeforeApplicationShutdown,
  Controller,
  Get,
  Module,
  type OnApplicationShutdown,
  Post,
} from '@nestjs/common';
import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { EtcdCoordinationModule } from '../../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { SERVICE, moduleOptions } from './fleet-options.js';

const [endpoints, id, port] = process.argv.slice(2) as [string, string, string];
const say = (message: object) => console.log(JSON.stringify(message));

/** As long as a short query takes. */
const WORK_MS = 5;
const SLOW_MS = 1500;

@Controller()
class Stock implements BeforeApplicationShutdown, OnApplicationShutdown {
  private applied = 0;
  private held = 0;

  constructor(private readonly http: HttpAdapterHost) {}

  @Get('items')
  async items(): Promise<string> {
    await pause(WORK_MS);
    return id;
  }

  /** Long enough for this process to be killed meanwhile. */
  @Get('slow')
  async slow(): Promise<string> {
    say({ type: 'asked' });
    await pause(SLOW_MS);
    return id;
  }

  @Post('items')
  async add(): Promise<string> {
    this.applied += 1;
    await pause(WORK_MS);
    return id;
  }

  /** Answers only once the server takes no more connections. */
  @Post('held')
  async hold(): Promise<string> {
    this.held += 1;
    const server = this.http.httpAdapter.getHttpServer() as Server;
    say({ type: 'held', held: this.held });
    while (server.listening) await pause(WORK_MS);
    this.held -= 1;
    return id;
  }

  /** The notice is over, and the servers close next. */
  beforeApplicationShutdown(): void {
    say({ type: 'closing', held: this.held });
  }

  /** The servers are closed. */
  onApplicationShutdown(): void {
    say({ type: 'closed', held: this.held, applied: this.applied });
  }
}

@Module({
  imports: [
    EtcdCoordinationModule.forRoot({
      ...moduleOptions(endpoints.split(','), id),
      service: { name: SERVICE, address: `http://127.0.0.1:${port}` },
    }),
  ],
  controllers: [Stock],
})
class AppModule {}

const app = await NestFactory.create(AppModule, {
  abortOnError: false,
  logger: ['warn', 'error', 'fatal'],
});
app.enableShutdownHooks(['SIGTERM'], { useProcessExit: true });
await app.listen(Number(port), '127.0.0.1');
say({ type: 'listening' });
