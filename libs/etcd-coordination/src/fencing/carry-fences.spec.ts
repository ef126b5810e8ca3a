import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Metadata } from '@grpc/grpc-js';
import { Controller, UseInterceptors } from '@nestjs/common';
import {
  type ClientGrpc,
  ClientKafka,
  ClientNats,
  ClientProxy,
  ClientProxyFactory,
  EventPattern,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  type ReadPacket,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { firstValueFrom, type Observable } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { fenceOf } from '../../../../test/support/fences.js';
import { FakeLedger } from '../../../../test/support/fake-ledger.js';
import { freePort } from '../../../../test/support/free-port.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { LOCAL_GRANT } from '../context/fence.js';
import { currentFence, runOwning } from '../context/ownership-context.js';
import { carryFences } from './carry-fences.js';
import { FENCE_GATES, FenceGate } from './fence-gate.js';
import { withFence } from './fence-headers.js';
import { FenceInterceptor } from './fence.interceptor.js';
import { RequireFence } from './require-fence.decorator.js';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const events: string[] = [];

@Controller()
class StockController {
  @MessagePattern('reserve')
  @RequireFence('lock/sku/{0.sku}')
  async above(@Payload() order: { sku: string }): Promise<string> {
    return `${order.sku} under ${currentFence()?.resource}`;
  }
  @RequireFence('lock/sku/{0.sku}')
  @MessagePattern('reserve-below')
  async below(@Payload() order: { sku: string }): Promise<string> {
    return `${order.sku} under ${currentFence()?.resource}`;
  }
  @EventPattern('event')
  @UseInterceptors(FenceInterceptor)
  event(@Payload() what: string): void {
    events.push(`${what} under ${currentFence()?.resource}`);
  }
  @GrpcMethod('Stock', 'Reserve')
  @RequireFence('lock/sku/{0.sku}')
  async overGrpc({ sku }: { sku: string }): Promise<{ under: string }> {
    return { under: `${sku} under ${currentFence()?.resource}` };
  }
}

async function serve(options: MicroserviceOptions): Promise<void> {
  const gate = new FenceGate(new FakeLedger());
  gate.answerMessagesWith(RpcException);
  const module = await Test.createTestingModule({
    providers: [{ provide: FENCE_GATES.token('default'), useValue: gate }],
    controllers: [StockController],
  }).compile();
  const app = module.createNestMicroservice({ ...options, logger: false });
  closers.push(() => app.close());
  await app.listen();
}

/** As inside of a lock. */
function under<T>(lock: string, revision: number, work: () => T): T {
  const fence = fenceOf(lock, revision);
  return runOwning('lock', fence, fence, work);
}

describe('fences over TCP', () => {
  async function start(): Promise<ClientProxy> {
    const options = { host: '127.0.0.1', port: await freePort() };
    await serve({ transport: Transport.TCP, options });
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    closers.push(() => client.close());
    return carryFences(client);
  }

  it.each(['reserve', 'reserve-below'])(
    'are carried by a client and demanded: %s',
    async (pattern) => {
      const client = await start();
      const send = async () => firstValueFrom(client.send<string>(pattern, { sku: '1' }));
      expect(await under('sku/1', 5, send)).toBe('1 under lock/sku/1');
      expect(await under('sku/1', 6, send)).toBe('1 under lock/sku/1');
      await expect(under('sku/1', 5, send)).rejects.toEqual({
        status: 'error',
        code: 'STALE_FENCE',
        message: expect.stringContaining('has been seen since'),
        resource: 'lock/sku/1',
        token: `${fenceOf('sku/1', 5).token}`,
        newest: `${fenceOf('sku/1', 6).token}`,
      });
      await expect(send()).rejects.toMatchObject({ status: 'error', code: 'FENCE_REQUIRED' });
      await expect(under('sku/2', 9, send)).rejects.toMatchObject({ code: 'FENCE_MISMATCH' });
    },
  );

  it('tell the sender of one that cannot be read', async () => {
    const client = await start();
    client.setOnDispatchHook((packet) => (packet.metadata = { 'etcd-fence': 'nonsense' }));
    const sent = firstValueFrom(client.send('reserve', { sku: '1' }));
    await expect(sent).rejects.toMatchObject({ status: 'error', code: 'INVALID_FENCE' });
  });

  it('go with events', async () => {
    const client = await start();
    under('sku/1', 5, () => client.emit('event', 'first'));
    client.emit('event', 'second');
    await waitFor(() => events.length === 2, { what: 'both events' });
    expect(events.sort()).toEqual(['first under lock/sku/1', 'second under undefined']);
  });

  it('are those at the moment of sending, and never of a lock that is lost', async () => {
    const client = await start();
    const message = under('sku/1', 5, () => client.send('reserve', { sku: '1' }));
    await expect(firstValueFrom(message)).rejects.toMatchObject({ code: 'FENCE_REQUIRED' });
    expect(await under('sku/1', 6, () => firstValueFrom(message))).toBe('1 under lock/sku/1');

    const grant = { key: 'x', isValid: () => false, guard: () => Promise.reject(new Error()) };
    const lost = Object.assign(fenceOf('sku/1', 7), { [LOCAL_GRANT]: grant });
    const sent = runOwning('lock', lost, lost, () => firstValueFrom(message));
    await expect(sent).rejects.toMatchObject({ code: 'STALE_FENCE', token: lost.token });
  });
});

describe('fences over gRPC', () => {
  it('are set on the metadata of a call', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fences-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const protoPath = join(folder, 'stock.proto');
    writeFileSync(
      protoPath,
      `syntax = "proto3"; package stock;
       service Stock { rpc Reserve (Order) returns (Reserved); }
       message Order { string sku = 1; } message Reserved { string under = 1; }`,
    );
    const options = { package: 'stock', protoPath, url: `127.0.0.1:${await freePort()}` };
    await serve({ transport: Transport.GRPC, options });
    const client = ClientProxyFactory.create({
      transport: Transport.GRPC,
      options,
    }) as unknown as ClientGrpc & { close(): void };
    closers.push(() => client.close());
    const stock = client.getService<{
      reserve(order: object, metadata: Metadata): Observable<{ under: string }>;
    }>('Stock');
    const reserve = async () =>
      firstValueFrom(stock.reserve({ sku: '1' }, withFence(new Metadata())));

    expect(await under('sku/1', 6, reserve)).toEqual({ under: '1 under lock/sku/1' });
    await expect(under('sku/1', 5, reserve)).rejects.toThrow(/has been seen since/);
    await expect(reserve()).rejects.toThrow(/carries no fence/);
  });
});

describe('carryFences', () => {
  class RecordingClient extends ClientProxy {
    readonly packets: ReadPacket[] = [];
    async connect(): Promise<void> {}
    async close(): Promise<void> {}
    protected publish(): () => void {
      return () => undefined;
    }
    protected async dispatchEvent<T>(packet: ReadPacket): Promise<T> {
      this.packets.push(packet);
      return undefined as T;
    }
    unwrap<T>(): T {
      return undefined as T;
    }
  }

  it('keeps the hook and the metadata that are there already', async () => {
    const client = new RecordingClient();
    client.setOnDispatchHook((packet) => (packet.metadata = { trace: '1' }));
    expect(carryFences(carryFences(client))).toBe(client);
    under('a', 5, () => client.emit('x', 1));
    client.emit('x', 2);
    await waitFor(() => client.packets.length === 2, { what: 'both events' });
    const packets = client.packets.map(({ data, metadata }) => ({ data, metadata }));
    expect(packets).toContainEqual({
      data: 1,
      metadata: { trace: '1', 'etcd-fence': expect.stringContaining('lock/a') },
    });
    expect(packets).toContainEqual({ data: 2, metadata: { trace: '1' } });
  });

  it.each([ClientKafka, ClientNats])('refuses a client that would not send them: %o', (type) => {
    class Ours extends (type as unknown as new () => object) {}
    const client = Object.create(Ours.prototype) as ClientProxy;
    expect(() => carryFences(client)).toThrow(
      /A Ours carries no fences by itself; give each message/,
    );
  });

  it('says that a client of an older Nest has no hook', () => {
    class OldClient {}
    expect(() => carryFences(new OldClient() as ClientProxy)).toThrow(/no dispatch hook/);
  });
});
