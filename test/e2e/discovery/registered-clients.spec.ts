import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Controller, Inject, Injectable, Module, type INestMicroservice } from '@nestjs/common';
import {
  Client,
  type ClientGrpc,
  type ClientProxy,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, type Observable } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { EmbeddedEtcd } from '../../../libs/etcd-coordination/src/embedded/embedded-etcd.js';
import { DiscoveredClientsModule } from '../../../libs/etcd-coordination/src/microservices/index.js';
import { EtcdCoordinationModule } from '../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { freePort } from '../../support/free-port.js';
import { waitFor } from '../../support/wait-for.js';

const PROTO = `syntax = "proto3"; package shop;
service Stock { rpc Reserve (Item) returns (Item); }
message Item { string sku = 1; }`;

/** All that a user has: the modules, a registry that is real, and Nest's own clients. */
describe("Nest's clients and the registry of the module", () => {
  const folder = mkdtempSync(join(tmpdir(), 'registered-clients-'));
  const protoPath = join(folder, 'stock.proto');
  const closers: (() => Promise<unknown>)[] = [];
  let etcd: EmbeddedEtcd;

  beforeAll(async () => {
    writeFileSync(protoPath, PROTO);
    etcd = await EmbeddedEtcd.start({ logger: false });
  });
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await etcd.close();
    rmSync(folder, { recursive: true });
  });

  const coordination = (service: { name: string; address?: string }, instanceId: string) =>
    EtcdCoordinationModule.forRoot({ endpoints: [etcd.endpoint], instanceId, service });

  /** A Nest microservice that is registered by its module. */
  async function serve(
    id: string,
    name: string,
    scheme: 'tcp' | 'grpc',
    transport: (port: number) => MicroserviceOptions,
  ): Promise<INestMicroservice> {
    @Controller()
    class Stock {
      @MessagePattern('reserve')
      take(sku: string): string {
        return `${id}:${sku}`;
      }
      @GrpcMethod('Stock', 'Reserve')
      reserve({ sku }: { sku: string }): { sku: string } {
        return { sku: `${id}:${sku}` };
      }
    }
    const port = await freePort();
    const address = `${scheme}://127.0.0.1:${port}`;
    const module = await Test.createTestingModule({
      imports: [coordination({ name, address }, id)],
      controllers: [Stock],
    }).compile();
    const app = module.createNestMicroservice({ ...transport(port), logger: false });
    closers.push(() => app.close());
    await app.listen();
    return app;
  }

  it('sends messages to whoever is there, and to nobody who has left', async () => {
    const tcp = (port: number): MicroserviceOptions => ({
      transport: Transport.TCP,
      options: { host: '127.0.0.1', port },
    });
    const a = await serve('a', 'stock-tcp', 'tcp', tcp);
    await serve('b', 'stock-tcp', 'tcp', tcp);

    @Injectable()
    class Orders {
      constructor(@Inject('STOCK') readonly stock: ClientProxy) {}
    }
    @Module({
      imports: [
        coordination({ name: 'orders' }, 'orders-1'),
        DiscoveredClientsModule.register([
          { name: 'STOCK', service: 'stock-tcp', call: { strategy: 'round-robin' } },
        ]),
      ],
      providers: [Orders],
    })
    class App {}
    const module = await Test.createTestingModule({ imports: [App] }).compile();
    const app = module.createNestApplication({ logger: false });
    closers.push(() => app.close());
    await app.init();

    const { stock } = app.get(Orders);
    const ask = () => firstValueFrom(stock.send<string>('reserve', 'bolt'));
    const seen = new Set<string>();
    await waitFor(async () => seen.add(await ask()).size === 2, { what: 'both to answer' });
    expect([...seen].toSorted()).toEqual(['a:bolt', 'b:bolt']);
    // It says that it drains, and nobody's message is lost for it.
    const answers: string[] = [];
    const leaving = a.close();
    await waitFor(async () => answers.push(await ask()) > 20 && answers.at(-1) === 'b:bolt', {
      what: 'b alone to answer',
    });
    await leaving;
    for (let message = 0; message < 4; message += 1) expect(await ask()).toBe('b:bolt');
  });

  it('calls over gRPC by the name alone', async () => {
    const options = { package: 'shop', protoPath };
    await serve('a', 'stock-grpc', 'grpc', (port) => ({
      transport: Transport.GRPC,
      options: { ...options, url: `127.0.0.1:${port}` },
    }));

    @Injectable()
    class Orders {
      @Client({
        transport: Transport.GRPC,
        options: { ...options, url: 'etcd-service:///stock-grpc' },
      })
      readonly client!: ClientGrpc;
    }
    @Module({
      imports: [coordination({ name: 'orders' }, 'orders-1'), DiscoveredClientsModule],
      providers: [Orders],
    })
    class App {}
    const module = await Test.createTestingModule({ imports: [App] }).compile();
    const app = module.createNestApplication({ logger: false });
    closers.push(() => app.close());
    await app.init();

    type Item = { sku: string };
    const stock = app.get(Orders).client.getService<{
      reserve(item: Item): Observable<Item>;
    }>('Stock');
    expect(await firstValueFrom(stock.reserve({ sku: 'nut' }))).toEqual({ sku: 'a:nut' });
  });
});
