import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { Injectable, Module } from '@nestjs/common';
import { Client, type ClientGrpc, Transport } from '@nestjs/microservices';
import { firstValueFrom, type Observable } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { DiscoveredClientsModule } from '../../../libs/etcd-coordination/src/microservices/index.js';
import {
  PROBE_SOURCE,
  type ServiceInstance,
} from '../../../libs/etcd-coordination/src/registry/service-instance.js';
import { failureOf } from '../../support/failure-of.js';
import type { FakeServicePool } from '../../support/fake-service-pool.js';
import { freePort } from '../../support/free-port.js';
import { waitFor } from '../../support/wait-for.js';
import { at, boot, poolOf, registryOf, useClosers } from './client-stage.js';

const closers = useClosers();

describe("Nest's own gRPC transport", () => {
  const folder = mkdtempSync(join(tmpdir(), 'clients-grpc-'));
  const protoPath = join(folder, 'stock.proto');
  writeFileSync(
    protoPath,
    `syntax = "proto3"; package shop;
     service Stock { rpc Reserve (Item) returns (Item); rpc Hold (Item) returns (Item); }
     message Item { string sku = 1; }`,
  );
  const definition = loadPackageDefinition(loadSync(protoPath)) as unknown as {
    shop: { Stock: ServiceClientConstructor };
  };
  // The file is read by each client that is made.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

  interface StockService {
    reserve(item: { sku: string }): Observable<{ sku: string }>;
    hold(item: { sku: string }): Observable<{ sku: string }>;
  }

  /** Answers `Hold` when it is let go. */
  async function serveGrpc(id: string) {
    const server = new Server();
    const held: (() => void)[] = [];
    type Reply = (error: null, item: { sku: string }) => void;
    server.addService(definition.shop.Stock.service, {
      Reserve: (_: unknown, reply: Reply) => reply(null, { sku: id }),
      Hold: (_: unknown, reply: Reply) => held.push(() => reply(null, { sku: id })),
    });
    const credentials = ServerCredentials.createInsecure();
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    closers.push(() => server.forceShutdown());
    return { instance: at(id, port, 'grpc'), server, held };
  }

  const options = { package: 'shop', protoPath, url: 'etcd-service:///stock' };

  @Injectable()
  class Orders {
    @Client({ transport: Transport.GRPC, options })
    readonly client!: ClientGrpc;
  }

  @Module({ providers: [Orders], imports: [DiscoveredClientsModule] })
  class OrdersModule {}

  async function stockOf(pool: FakeServicePool): Promise<StockService> {
    const app = await boot(closers, registryOf({ stock: pool }), OrdersModule);
    return app.get(Orders, { strict: false }).client.getService<StockService>('Stock');
  }

  async function reserve(stock: StockService): Promise<string> {
    return (await firstValueFrom(stock.reserve({ sku: '1' }))).sku;
  }

  it('follows the registry by its url alone, each application its own', async () => {
    const [a, b, c] = [await serveGrpc('a'), await serveGrpc('b'), await serveGrpc('c')];
    const pool = poolOf(a.instance, { ...b.instance, state: 'starting' }, at('tcp', 1));
    const stock = await stockOf(pool);
    const other = await stockOf(poolOf(c.instance));
    expect([await reserve(stock), await reserve(stock), await reserve(other)]).toEqual([
      'a',
      'a',
      'c',
    ]);
    pool.show([a.instance, b.instance]);
    const answers = new Set<string>();
    await waitFor(async () => answers.add(await reserve(stock)).size === 2, { what: 'both' });
  });

  it('ends what it has begun at an instance that drains and goes', async () => {
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    const pool = poolOf(a.instance);
    const stock = await stockOf(pool);
    const holding = firstValueFrom(stock.hold({ sku: '1' }));
    await waitFor(() => a.held.length === 1, { what: 'the call' });
    pool.show([{ ...a.instance, state: 'draining' }, b.instance]);
    await waitFor(async () => (await reserve(stock)) === 'b', { what: 'calls to go elsewhere' });
    pool.show([b.instance]);
    for (let i = 0; i < 5; i++) expect(await reserve(stock)).toBe('b');
    a.held[0]!();
    expect((await holding).sku).toBe('a');
  });

  it('keeps the last addresses while the registry is only cut off, and takes a list that is empty for true otherwise', async () => {
    const a = await serveGrpc('a');
    const pool = poolOf(a.instance);
    const stock = await stockOf(pool);
    expect(await reserve(stock)).toBe('a');
    pool.ageMs = () => 60_000;
    pool.show([]);
    expect(await reserve(stock)).toBe('a');
    pool.ageMs = () => 0;
    pool.show([a.instance]);
    pool.show([]);
    const refused = await failureOf(reserve(stock));
    expect(refused).toMatchObject({
      details: expect.stringContaining('No instance of the service "stock"') as string,
    });
  });

  it('calls those whom only a prober finds down where nobody is up', async () => {
    const [a, b] = [await serveGrpc('a'), await serveGrpc('b')];
    const down = ({ instance }: typeof a): ServiceInstance => {
      const word = { source: PROBE_SOURCE, state: 'down', by: 'p', reason: null } as const;
      return { ...instance, state: 'down', words: [...instance.words, word] };
    };
    const pool = poolOf(down(a), b.instance);
    const stock = await stockOf(pool);
    expect(await reserve(stock)).toBe('b');
    pool.show([down(a), { ...b.instance, state: 'draining' }]);
    await waitFor(async () => (await reserve(stock)) === 'a', { what: 'the doubted one' });
  });

  it('calls the others when one refuses', async () => {
    const b = await serveGrpc('b');
    const stock = await stockOf(poolOf(at('a', await freePort(), 'grpc'), b.instance));
    for (let i = 0; i < 5; i++) expect(await reserve(stock)).toBe('b');
  });
});
