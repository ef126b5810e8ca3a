import {
  Body,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Post,
  Scope,
  Sse,
  UseInterceptors,
} from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import {
  KafkaContext,
  MqttContext,
  NatsContext,
  RedisContext,
  RmqContext,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { defer, type Observable } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { fenceOf } from '../../../../test/support/fences.js';
import { FakeLedger } from '../../../../test/support/fake-ledger.js';
import { currentFence, currentFences, runOwning } from '../context/ownership-context.js';
import { encodeFence } from './fence-codec.js';
import { FENCE_GATES, FenceGate } from './fence-gate.js';
import { fenceHeaders } from './fence-headers.js';
import { FenceInterceptor } from './fence.interceptor.js';
import { receivedText } from './received-text.js';
import { RequireFence } from './require-fence.decorator.js';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

describe.each([Scope.DEFAULT, Scope.REQUEST])('fences over HTTP, scope %s', (scope) => {
  @Injectable()
  class Shelf {
    @RequireFence('lock/sku/{sku}')
    async take(sku: string): Promise<string> {
      return `${sku} under ${currentFence()?.token}`;
    }
  }

  @Controller({ path: 'stock', scope })
  class StockController {
    constructor(private readonly shelf: Shelf) {}

    @Post('above')
    @RequireFence('lock/sku/{0.sku}')
    async above(@Body() order: { sku: string }): Promise<string> {
      await new Promise((resolve) => setImmediate(resolve));
      return `${order.sku} under ${currentFence()?.resource}`;
    }
    @RequireFence('lock/sku/{order.sku}')
    @Post('below')
    async below(@Body() order: { sku: string }): Promise<string> {
      return `${order.sku} under ${currentFence()?.resource}`;
    }
    @Post('shelf')
    @UseInterceptors(FenceInterceptor)
    async inService(@Body() { sku }: { sku: string }): Promise<string> {
      return this.shelf.take(sku);
    }
    @Get('all')
    @UseInterceptors(FenceInterceptor, FenceInterceptor)
    all(): string[] {
      return currentFences().map(({ resource }) => resource);
    }
    @Sse('stream')
    @UseInterceptors(FenceInterceptor)
    stream(): Observable<{ data: string }> {
      return defer(async () => ({ data: `${currentFence()?.resource}` }));
    }
    @Get('open')
    open(): string {
      return currentFence() === null ? 'null' : 'a fence';
    }
  }

  async function serve(ledger = new FakeLedger()) {
    const module = await Test.createTestingModule({
      providers: [
        Shelf,
        { provide: FENCE_GATES.token('default'), useValue: new FenceGate(ledger) },
      ],
      controllers: [StockController],
    }).compile();
    const app: INestApplication = module.createNestApplication({ logger: false });
    closers.push(() => app.close());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    return async (path: string, headers: Record<string, string>, body?: object) => {
      const answer = await fetch(`${url}/stock/${path}`, {
        method: body ? 'POST' : 'GET',
        headers: { ...(body && { 'content-type': 'application/json' }), ...headers },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, text: await answer.text() };
    };
  }

  const header = (lock: string, revision: number) => fenceHeaders(fenceOf(lock, revision));

  it.each(['above', 'below', 'shelf'])(
    'are demanded of the caller, and the older one is refused (%s)',
    async (path) => {
      const ask = await serve();
      const sku = { sku: '1' };
      const accepted = { status: 201, text: expect.stringMatching(/^1 under/) };
      expect(await ask(path, header('sku/1', 5), sku)).toEqual(accepted);
      expect(await ask(path, header('sku/1', 7), sku)).toEqual(accepted);
      expect(await ask(path, header('sku/1', 7), sku)).toEqual(accepted);
      const stale = await ask(path, header('sku/1', 6), sku);
      expect(stale).toMatchObject({
        status: 409,
        text: expect.stringContaining('has been seen since'),
      });
      const none = await ask(path, {}, sku);
      expect(none).toMatchObject({
        status: 428,
        text: expect.stringContaining('carries no fence'),
      });
      const other = await ask(path, header('sku/2', 9), sku);
      expect(other).toMatchObject({
        status: 409,
        text: expect.stringContaining('an owner of \\"lock/sku/2\\"'),
      });
      for (const text of ['', 'nonsense', '7;7;a;b', encodeFence(fenceOf('sku/1', 9)).repeat(2)]) {
        expect(await ask(path, { 'etcd-fence': text }, sku)).toMatchObject({
          status: 400,
          text: expect.stringContaining('The fence cannot be read'),
        });
      }
    },
  );

  it('are all there in the handler, the innermost first', async () => {
    const ask = await serve();
    const both = fenceHeaders([fenceOf('a', 5), fenceOf('b', 4)]);
    expect(await ask('all', both)).toEqual({ status: 200, text: '["lock/a","lock/b"]' });
    expect(await ask('all', {})).toEqual({ status: 200, text: '[]' });
  });

  it('are there while a stream is read', async () => {
    const ask = await serve();
    expect((await ask('stream', header('a', 5))).text).toContain('data: lock/a');
  });

  it('leave alone who does not ask for them', async () => {
    const ask = await serve();
    expect(await ask('open', { 'etcd-fence': 'nonsense' })).toEqual({ status: 200, text: 'null' });
  });
});

describe('the fence of a call', () => {
  const text = encodeFence(fenceOf('a', 5));
  const headers = { 'etcd-fence': text };
  const rpc = (context: unknown) => {
    const host = new ExecutionContextHost(['data', context]);
    host.setType('rpc');
    return host;
  };
  const packet = (metadata: object) => Buffer.from(JSON.stringify({ pattern: 'x', metadata }));
  const message = (rest: object) => rpc(new RmqContext([rest as never, null, 'x']));
  const consumed = (value: unknown) =>
    rpc(new KafkaContext([{ headers: { 'etcd-fence': value } }, 0, 'x'] as never));

  it.each<[string, unknown]>([
    ['Redis', rpc(new RedisContext(['x', headers]))],
    ['NATS', rpc(new NatsContext(['x', new Headers(headers)]))],
    ['Kafka, as bytes', consumed(Buffer.from(text))],
    ['Kafka, as a text', consumed(text)],
    ['Kafka, several', consumed([Buffer.from(text)])],
    ['the headers of RabbitMQ', message({ properties: { headers }, content: packet({}) })],
    ['the metadata in RabbitMQ', message({ properties: {}, content: packet(headers) })],
    [
      'the properties of MQTT',
      rpc(new MqttContext(['x', { properties: { userProperties: headers } }])),
    ],
    ['the metadata in MQTT', rpc(new MqttContext(['x', { payload: packet(headers) }]))],
    ['gRPC', rpc({ get: (name: string) => (name === 'etcd-fence' ? [text] : []) })],
    ['HTTP', new ExecutionContextHost([{ headers }])],
    ['HTTP, several', new ExecutionContextHost([{ headers: { 'etcd-fence': [text] } }])],
    ['GraphQL', new ExecutionContextHost([undefined, {}, { req: { headers } }])],
  ])('is found over %s', (_, context) => {
    expect(receivedText(context as ExecutionContextHost)).toBe(text);
  });

  it.each<[string, unknown]>([
    ['Redis', rpc(new RedisContext(['x']))],
    ['NATS', rpc(new NatsContext(['x', undefined]))],
    ['Kafka', rpc(new KafkaContext([{}, 0, 'x'] as never))],
    ['RabbitMQ', message({ properties: {}, content: packet({}) })],
    ['RabbitMQ, no JSON', message({ properties: {}, content: Buffer.from('"etcd-fence"x') })],
    ['RabbitMQ, other JSON', message({ properties: {}, content: Buffer.from('["etcd-fence"]') })],
    ['MQTT', rpc(new MqttContext(['x', {}]))],
    ['gRPC', rpc({ get: () => [] })],
    ['nothing', rpc(undefined)],
    ['HTTP', new ExecutionContextHost([{ headers: {} }])],
    ['a socket', new ExecutionContextHost([])],
  ])('is not there over %s', (_, context) => {
    expect(receivedText(context as ExecutionContextHost)).toBeUndefined();
  });

  it('is made of where the call stands', () => {
    expect(fenceHeaders()).toEqual({});
    const [a, b] = [fenceOf('a', 5), fenceOf('b', 6)];
    const older = fenceOf('a', 4);
    runOwning('term', {}, older, () =>
      runOwning('lock', {}, b, () =>
        runOwning('lock', {}, a, () =>
          expect(fenceHeaders()).toEqual({ 'etcd-fence': `${encodeFence(a)}, ${encodeFence(b)}` }),
        ),
      ),
    );
  });
});
