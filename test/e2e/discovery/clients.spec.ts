import { type AddressInfo, createServer, type Server as TcpServer, type Socket } from 'node:net';
import { Controller, Inject, Injectable, Module, type DynamicModule } from '@nestjs/common';
import {
  Client,
  type ClientProxy,
  ClientsModule,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, from, lastValueFrom, toArray, type Observable } from 'rxjs';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { NoInstanceError } from '../../../libs/etcd-coordination/src/discovery/discovery.errors.js';
import { runOwning } from '../../../libs/etcd-coordination/src/context/ownership-context.js';
import { CallTimeoutError } from '../../../libs/etcd-coordination/src/discovery/call/call.errors.js';
import {
  ClosedClientError,
  DiscoveredClient,
  type DiscoveredClientOptions,
  DiscoveredClientsModule,
  discoveredClient,
  InstanceConnectionError,
  RegistryMissingError,
  SharedClientError,
  UnboundClientError,
} from '../../../libs/etcd-coordination/src/microservices/index.js';
import { InstanceClient } from '../../../libs/etcd-coordination/src/microservices/instance-client.js';
import { UnsaidReason } from '../../../libs/etcd-coordination/src/discovery/silence.js';
import type { ServiceInstance } from '../../../libs/etcd-coordination/src/registry/service-instance.js';
import { failureOf } from '../../support/failure-of.js';
import { FakeServicePool } from '../../support/fake-service-pool.js';
import { fenceOf } from '../../support/fences.js';
import { freePort } from '../../support/free-port.js';
import { waitFor } from '../../support/wait-for.js';
import { at, boot, poolOf, registryOf, useClosers } from './client-stage.js';

const closers = useClosers();

/** What instances were told, in order. */
const told: string[] = [];

beforeEach(() => {
  told.length = 0;
});

/** An instance that is a Nest microservice. */
async function serve(
  id: string,
): Promise<{ instance: ServiceInstance; stop: () => Promise<void> }> {
  @Controller()
  class StockController {
    @MessagePattern('reserve')
    async reserve(@Payload() sku: string): Promise<string> {
      told.push(`${id} reserve ${sku}`);
      return `${id}:${sku}`;
    }
    @MessagePattern('list')
    list(): Observable<number> {
      return from([1, 2, 3]);
    }
    @MessagePattern('refuse')
    refuse(): never {
      told.push(`${id} refuse`);
      throw new RpcException('out of stock');
    }
    @MessagePattern('hang')
    hang(): Promise<never> {
      told.push(`${id} hang`);
      return new Promise(() => undefined);
    }
    @EventPattern('sold')
    sold(@Payload() sku: string): void {
      told.push(`${id} sold ${sku}`);
    }
  }
  const port = await freePort();
  const module = await Test.createTestingModule({ controllers: [StockController] }).compile();
  const app = module.createNestMicroservice({
    transport: Transport.TCP,
    options: { host: '127.0.0.1', port },
    logger: false,
  });
  await app.listen();
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= app.close());
  closers.push(stop);
  return { instance: at(id, port), stop };
}

/** Takes connections and does with each what it is told to. */
async function tcpInstance(id: string, handle: (socket: Socket) => void): Promise<ServiceInstance> {
  const sockets = new Set<Socket>();
  const server: TcpServer = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return at(id, (server.address() as AddressInfo).port);
}

function resetting(id: string): Promise<ServiceInstance> {
  return tcpInstance(id, (socket) =>
    socket.once('data', () => {
      told.push(`${id} was asked`);
      socket.resetAndDestroy();
    }),
  );
}

function clientOf(
  pool: FakeServicePool,
  some: Partial<DiscoveredClientOptions> = {},
): DiscoveredClient {
  const client = new DiscoveredClient({
    service: 'stock',
    discovery: { pool: () => pool },
    ...some,
  });
  closers.push(() => client.close());
  return client;
}

function openOf(client: ClientProxy): string[] {
  return [...client.unwrap<ReadonlyMap<string, unknown>>().keys()];
}

describe('a client of messages that follows the registry', () => {
  it('sends each message to an instance, and gives its answers', async () => {
    const [a, b] = [await serve('a'), await serve('b')];
    const pool = poolOf(a.instance, b.instance);
    const client = clientOf(pool);
    await client.connect();
    expect(await firstValueFrom(client.send('reserve', '1'))).toBe('a:1');
    expect(await firstValueFrom(client.send('reserve', '2'))).toBe('b:2');
    expect(await lastValueFrom(client.send('list', {}).pipe(toArray()))).toEqual([1, 2, 3]);
    await waitFor(() => pool.ends.length === 3, { what: 'the ends of three attempts' });
    expect(pool.ends).toEqual(['a succeeded', 'b succeeded', 'a succeeded']);
    await waitFor(() => openOf(client).length === 2, { what: 'two connections' });
  });

  it('emits events at once, without anybody who subscribes', async () => {
    const a = await serve('a');
    const client = clientOf(poolOf(a.instance));
    client.emit('sold', '1');
    await waitFor(() => told.includes('a sold 1'), { what: 'the event' });
    await lastValueFrom(client.emit('sold', '2'), { defaultValue: null });
    await waitFor(() => told.includes('a sold 2'), { what: 'the second event' });
  });

  it('sends the fences of what the sender owns', async () => {
    const a = await serve('a');
    const client = clientOf(poolOf(a.instance));
    const packets: object[] = [];
    client.setOnDispatchHook((packet) => {
      packet.metadata = { own: 'yes' };
      packets.push(packet);
    });
    await runOwning('lock', {}, fenceOf('sku/1', 7), () =>
      firstValueFrom(client.send('reserve', '1')),
    );
    expect(packets).toMatchObject([
      { metadata: { own: 'yes', 'etcd-fence': expect.stringContaining('lock/sku/1') as string } },
    ]);
  });

  it('sends a message elsewhere that never reached its instance', async () => {
    const b = await serve('b');
    const pool = poolOf(at('a', await freePort()), b.instance);
    const client = clientOf(pool);
    expect(await firstValueFrom(client.send('reserve', '1'))).toBe('b:1');
    pool.show([at('c', await freePort()), b.instance]);
    await lastValueFrom(client.emit('sold', '1'), { defaultValue: null });
    await lastValueFrom(client.emit('sold', '2'), { defaultValue: null });
    await waitFor(() => told.length === 3, { what: 'both events' });
    expect(pool.ends.filter((end) => end.endsWith('failed')).length).toBeGreaterThan(0);
  });

  it('does not send twice what may have been taken, and does if it may be', async () => {
    const [a, b] = [await resetting('a'), await serve('b')];
    const pool = poolOf(a, b.instance);
    const lost = await failureOf(firstValueFrom(clientOf(pool).send('reserve', '1')));
    expect(lost).toBeInstanceOf(InstanceConnectionError);
    expect(lost).toMatchObject({ code: 'ECONNRESET' });
    expect(told).toEqual(['a was asked']);
    expect(pool.ends).toEqual(['a failed']);

    const again = clientOf(poolOf(a, b.instance), { call: { idempotent: true } });
    expect(await firstValueFrom(again.send('reserve', '2'))).toBe('b:2');
  });

  it('gives the error of the application as it is, which is no fault of the instance', async () => {
    const pool = poolOf((await serve('a')).instance);
    const client = clientOf(pool, { call: { idempotent: true } });
    const error = await failureOf(firstValueFrom(client.send('refuse', {})));
    expect(error).toEqual({ status: 'error', message: 'out of stock' });
    expect(told).toEqual(['a refuse']);
    expect(pool.ends).toEqual(['a succeeded']);
  });

  it('abandons what its sender unsubscribes from, and leaves nothing behind', async () => {
    const a = await serve('a');
    const pool = poolOf(a.instance);
    const client = clientOf(pool);
    const subscription = client.send('hang', {}).subscribe();
    await waitFor(() => told.length === 1, { what: 'the message' });
    subscription.unsubscribe();
    await waitFor(() => pool.ends.length === 1, { what: 'the end of the attempt' });
    expect(pool.ends).toEqual(['a abandoned']);
    expect(pool.lastReason).toBeInstanceOf(UnsaidReason);
    pool.show([]);
    await waitFor(() => openOf(client).length === 0, { what: 'its client to be closed' });
  });

  it('does not wait for an instance that hangs', async () => {
    const a = await tcpInstance('a', () => undefined);
    const b = await serve('b');
    const call = { timeoutMs: 300, idempotent: true };
    const client = clientOf(poolOf(a, b.instance), { call });
    expect(await firstValueFrom(client.send('reserve', '1'))).toBe('b:1');
    const once = clientOf(poolOf(a), { call: { timeoutMs: 100 } });
    const late = await failureOf(firstValueFrom(once.send('reserve', '1')));
    expect(late).toBeInstanceOf(CallTimeoutError);
  });

  it('sends no event any more whose attempt is over before there was a connection', async () => {
    const a = await serve('a');
    const pool = poolOf(a.instance);
    const client = clientOf(pool, { call: { timeoutMs: 50, attempts: 1 } });
    const connect = InstanceClient.prototype.connect;
    let goOn!: () => void;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    vi.spyOn(InstanceClient.prototype, 'connect').mockImplementationOnce(async function (
      this: InstanceClient,
    ) {
      await held;
      await connect.call(this);
    });
    const late = await failureOf(lastValueFrom(client.emit('sold', '1')));
    vi.restoreAllMocks();
    expect(late).toBeInstanceOf(CallTimeoutError);
    goOn();
    pool.show([]);
    await waitFor(() => openOf(client).length === 0, { what: 'the end of the first event' });
    pool.show([a.instance]);
    await firstValueFrom(clientOf(pool).send('reserve', '2'));
    expect(told).toEqual(['a reserve 2']);
  });

  it('opens no connection again for what it was about to repeat as it was closed', async () => {
    let isAsked = false;
    const a = await tcpInstance('a', (socket) => socket.once('data', () => (isAsked = true)));
    const b = await serve('b');
    const pool = poolOf(a, b.instance);
    const client = clientOf(pool, { call: { idempotent: true } });
    const failed = failureOf(firstValueFrom(client.send('reserve', '1')));
    await waitFor(() => isAsked, { what: 'the message' });
    client.close();
    expect(await failed).toBeInstanceOf(ClosedClientError);
    expect([openOf(client), told]).toEqual([[], []]);
    expect(pool.ends).toEqual(['a failed', 'b abandoned']);
    pool.show([b.instance]);
    expect(await firstValueFrom(client.send('reserve', '2'))).toBe('b:2');
  });

  it('closes connections that the other side keeps open', async () => {
    const sockets: Socket[] = [];
    const frozen = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.push(socket);
      socket.resume();
    });
    await new Promise<void>((resolve) => frozen.listen(0, '127.0.0.1', resolve));
    closers.push(
      () => frozen.close(),
      () => sockets.forEach((socket) => socket.destroy()),
    );
    const client = clientOf(poolOf(at('a', (frozen.address() as AddressInfo).port)));
    const failed = failureOf(firstValueFrom(client.send('reserve', '1')));
    await waitFor(() => sockets.length === 1, { what: 'the connection' });
    const [open] = client.unwrap<ReadonlyMap<string, InstanceClient>>().values();
    const netSocket = open!.unwrap<Socket>();
    client.close();
    await waitFor(() => netSocket.destroyed, { what: 'the end of the connection' });
    expect(await failed).toBeInstanceOf(InstanceConnectionError);
  });

  it('says that there is nobody to send to', async () => {
    const none = await failureOf(firstValueFrom(clientOf(poolOf()).send('reserve', '1')));
    expect(none).toBeInstanceOf(NoInstanceError);
    const other = clientOf(poolOf(at('a', 1, 'grpc')));
    const speaks = await failureOf(firstValueFrom(other.send('reserve', '1')));
    expect(speaks).toMatchObject({ message: expect.stringContaining('speak grpc') as string });
  });

  it('loses no message when instances are drained and go under a load of messages', async () => {
    const served = await Promise.all(['a', 'b', 'c'].map(serve));
    const pool = poolOf(...served.map(({ instance }) => instance));
    const client = clientOf(pool, { call: { attempts: 1 } });
    const failures: unknown[] = [];
    const load = { isOver: false, done: 0 };
    const workers = Array.from({ length: 8 }, async () => {
      while (!load.isOver) {
        const failure = await failureOf(firstValueFrom(client.send('reserve', '1')));
        if (failure) failures.push(failure);
        load.done += 1;
      }
    });
    const rounds = (more: number) => {
      const until = load.done + more;
      return waitFor(() => load.done >= until, { what: 'messages' });
    };
    await rounds(50);
    for (const { instance, stop } of served.slice(1)) {
      const others = pool.instances().filter(({ id }) => id !== instance.id);
      pool.show([...others, { ...instance, state: 'draining' }]);
      // It goes while messages are on their way: their connection is kept for them.
      pool.show(others);
      await waitFor(() => !pool.inFlight.includes(instance.id), { what: 'its last message' });
      await waitFor(() => !openOf(client).includes(instance.address), { what: 'its connection' });
      await stop();
      await rounds(50);
    }
    load.isOver = true;
    await Promise.all(workers);
    expect(failures).toEqual([]);
  });
});

describe('clients in applications', () => {
  @Injectable()
  class Orders {
    @Client(discoveredClient({ service: 'stock' }))
    readonly decorated!: ClientProxy;
    constructor(@Inject('STOCK') readonly injected: ClientProxy) {}
  }

  function ordersModule(clients: DynamicModule): DynamicModule {
    @Module({})
    class OrdersModule {}
    return { module: OrdersModule, imports: [clients], providers: [Orders] };
  }

  it('are injected, and made by @Client, each with the registry of its own application', async () => {
    const [a, b] = [await serve('a'), await serve('b')];
    const orders: Orders[] = [];
    for (const { instance } of [a, b]) {
      const clients = DiscoveredClientsModule.register([{ name: 'STOCK', service: 'stock' }]);
      const app = await boot(
        closers,
        registryOf({ stock: poolOf(instance) }),
        ordersModule(clients),
      );
      orders.push(app.get(Orders, { strict: false }));
    }
    for (const [index, id] of ['a', 'b'].entries()) {
      const { decorated, injected } = orders[index]!;
      expect(await firstValueFrom(decorated.send('reserve', '1'))).toBe(`${id}:1`);
      expect(await firstValueFrom(injected.send('reserve', '2'))).toBe(`${id}:2`);
    }
  });

  it('are made by ClientsModule.register(), and cannot be shared by two applications', async () => {
    const a = await serve('a');
    const name = 'STOCK';
    const clients = ClientsModule.register([
      { name, customClass: DiscoveredClient, options: { service: 'stock' } },
    ]);
    const registry = registryOf({ stock: poolOf(a.instance) });
    const orders = ordersModule(clients);
    const app = await boot(closers, registry, DiscoveredClientsModule, orders);
    const { injected } = app.get(Orders, { strict: false });
    expect(await firstValueFrom(injected.send('reserve', '1'))).toBe('a:1');

    const second = boot(closers, registryOf({}), DiscoveredClientsModule, orders);
    await expect(second).rejects.toThrow(SharedClientError);
    await app.close();
    expect(openOf(injected)).toEqual([]);
    // One after the other may have it.
    const b = await serve('b');
    await boot(closers, registryOf({ stock: poolOf(b.instance) }), DiscoveredClientsModule, orders);
    expect(await firstValueFrom(injected.send('reserve', '1'))).toBe('b:1');
  });

  it('say what they lack', async () => {
    const alone = new DiscoveredClient({ service: 'stock' });
    const unbound = await failureOf(firstValueFrom(alone.send('reserve', '1')));
    expect(unbound).toBeInstanceOf(UnboundClientError);
    const clients = ClientsModule.register([
      { name: 'STOCK', customClass: DiscoveredClient, options: { service: 'stock' } },
    ]);
    const booting = boot(closers, DiscoveredClientsModule, ordersModule(clients));
    await expect(booting).rejects.toThrow(RegistryMissingError);
    const faulty = { name: 'X', service: 'a//b' };
    expect(() => DiscoveredClientsModule.register([faulty])).toThrow('cannot name the service');
    const attempts = { name: 'X', service: 'a', call: { attempts: 0 } };
    expect(() => DiscoveredClientsModule.register([attempts])).toThrow('"attempts" is 0');
  });
});
