import {
  Controller,
  HttpCode,
  type INestApplication,
  type INestMicroservice,
  Injectable,
  Logger,
  Param,
  ParseIntPipe,
  Post,
  Scope,
  Sse,
  StreamableFile,
} from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { Interval, ScheduleModule } from '@nestjs/schedule';
import { Test, type TestingModule } from '@nestjs/testing';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { concat, defer, firstValueFrom, lastValueFrom, Observable, of, toArray } from 'rxjs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../../test/support/free-port.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { EtcdCoordinationModule } from '../module/etcd-coordination.module.js';
import { getCoordinationToken } from '../module/coordination.tokens.js';
import { EtcdTransactions } from '../transaction/etcd-transactions.js';
import { currentLock } from './current-lock.js';
import { DistributedLock } from './distributed-lock.decorator.js';
import { LockService } from './lock.service.js';

let etcd: EmbeddedEtcd;
const closers: (() => Promise<unknown> | void)[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});
afterAll(() => etcd.close());
afterEach(async () => {
  vi.restoreAllMocks();
  for (const close of closers.splice(0).reverse()) await close();
});

const coordination = (options: { connection?: string; drainTimeoutMs?: number } = {}) =>
  EtcdCoordinationModule.forRoot({
    endpoints: [etcd.endpoint],
    ...(options.connection && { connection: options.connection, namespace: options.connection }),
    shutdown: { drainTimeoutMs: options.drainTimeoutMs ?? 10_000 },
  });

/** Another process, as far as locks go. */
async function other(): Promise<LockService> {
  const app = await Test.createTestingModule({ imports: [coordination()] }).compile();
  closers.push(() => app.close());
  await app.init();
  return app.get(LockService);
}

function controllerIn(scope: Scope) {
  @Controller({ path: 'orders', scope })
  class OrdersController {
    @Post('wait/:id')
    @HttpCode(207)
    @DistributedLock('order/{id}')
    async wait(@Param('id', ParseIntPipe) id: number) {
      return { id, key: currentLock()?.key };
    }
    @DistributedLock('order/{id}', { onBusy: 'throw' })
    @Post('throw/:id')
    @HttpCode(207)
    async throw(@Param('id', ParseIntPipe) id: number) {
      return { id, key: currentLock()?.key };
    }
    @Post('skip')
    @DistributedLock('order/7', { onBusy: 'skip' })
    skip(): void {}
    @Sse('events')
    @DistributedLock('order/7')
    events(): Observable<{ data: string }> {
      return concat(
        of({ data: 'a' }),
        defer(() => of({ data: `${currentLock()?.key}` })),
      );
    }
    @Post('file')
    @DistributedLock('order/7')
    async file(): Promise<StreamableFile> {
      return new StreamableFile(
        Readable.from(
          (async function* () {
            yield 'a ';
            await sleep(5);
            yield `${currentLock()?.key}`;
          })(),
        ),
      );
    }
  }
  return OrdersController;
}

describe.each([Scope.DEFAULT, Scope.REQUEST])(
  '@DistributedLock on HTTP handlers, scope %s',
  (scope) => {
    async function serve() {
      const module = await Test.createTestingModule({
        imports: [coordination()],
        controllers: [controllerIn(scope)],
      }).compile();
      const app: INestApplication = module.createNestApplication({ logger: false });
      closers.push(() => app.close());
      await app.listen(0, '127.0.0.1');
      const url = await app.getUrl();
      return (path: string, method = 'POST') => fetch(`${url}/orders/${path}`, { method });
    }

    it('runs them under the lock, all other decorators kept', async () => {
      const ask = await serve();
      for (const way of ['wait', 'throw']) {
        const answer = await ask(`${way}/7`);
        expect(answer.status).toBe(207);
        expect(await answer.json()).toEqual({ id: 7, key: 'order/7' });
        expect((await ask(`${way}/seven`)).status).toBe(400);
      }
      expect((await ask('skip')).status).toBe(201);
    });

    it('waits, answers 423, or does nothing while another process has it', async () => {
      const ask = await serve();
      const handle = await (await other()).acquire('order/7');
      const busy = await ask('throw/7');
      expect(busy.status).toBe(423);
      expect(await busy.json()).toMatchObject({
        statusCode: 423,
        message: expect.stringMatching(/^The lock "order\/7" is held by /),
      });
      expect((await ask('skip')).status).toBe(201);
      expect((await ask('throw/8')).status).toBe(207);
      let answered = false;
      const waiting = ask('wait/7').then((answer) => ((answered = true), answer));
      // Another call goes its whole way meanwhile.
      expect((await ask('throw/9')).status).toBe(207);
      expect(answered).toBe(false);
      await handle.release();

      expect((await waiting).status).toBe(207);
    });

    it('holds it while events and files are sent', async () => {
      const ask = await serve();
      const locks = await other();
      expect(await (await ask('events', 'GET')).text()).toMatch(/data: a\n.*data: order\/7/s);
      expect(await (await ask('file')).text()).toBe('a order/7');
      const free = await waitFor(() => locks.tryAcquire('order/7'), {
        what: 'the lock to be free',
      });
      await free.release();
    });
  },
);

describe('@DistributedLock on message handlers', () => {
  const events: string[] = [];

  @Controller()
  class MessagesController {
    @MessagePattern('above')
    @DistributedLock('sku/{0.sku}', { onBusy: 'throw' })
    async above(@Payload() order: { sku: string }): Promise<string> {
      return `${order.sku} under ${currentLock()?.key}`;
    }
    @DistributedLock('sku/{0.sku}', { onBusy: 'throw' })
    @MessagePattern('below')
    below(@Payload() order: { sku: string }): Observable<string> {
      return defer(() => of(`${order.sku} under ${currentLock()?.key}`));
    }
    @EventPattern('event')
    @DistributedLock('sku/x', { onBusy: 'skip' })
    event(@Payload() data: string): void {
      events.push(data);
    }
  }

  it('runs them under the lock, and tells the sender who has it', async () => {
    const options = { host: '127.0.0.1', port: await freePort() };
    const module = await Test.createTestingModule({
      imports: [coordination()],
      controllers: [MessagesController],
    }).compile();
    const app: INestMicroservice = module.createNestMicroservice({
      transport: Transport.TCP,
      options,
      logger: false,
    });
    closers.push(() => app.close());
    await app.listen();
    const client: ClientProxy = ClientProxyFactory.create({ transport: Transport.TCP, options });
    closers.push(() => client.close());
    const send = (pattern: string, sku = 'x') =>
      firstValueFrom(client.send<string>(pattern, { sku }));

    const handle = await (await other()).acquire('sku/x');
    for (const pattern of ['above', 'below']) {
      await expect(send(pattern, 'y')).resolves.toBe('y under sku/y');
      await expect(send(pattern)).rejects.toEqual({
        status: 'error',
        code: 'LOCK_BUSY',
        message: expect.stringContaining('The lock "sku/x" is held by'),
        key: 'sku/x',
      });
    }
    client.emit('event', 'early');
    await send('above', 'y');
    await handle.release();
    client.emit('event', 'free');
    await waitFor(() => events.length > 0, { what: 'the event' });
    expect(events).toEqual(['free']);
    await expect(send('above')).resolves.toBe('x under sku/x');
  });
});

describe('@DistributedLock on scheduled methods', () => {
  it('runs them in one process at a time', async () => {
    let running = 0;
    let most = 0;
    const ran = new Set<object>();
    @Injectable()
    class Schedules {
      @Interval(5)
      @DistributedLock('nightly', { onBusy: 'skip' })
      async above(): Promise<void> {
        await this.run();
      }
      @DistributedLock('nightly', { onBusy: 'skip' })
      @Interval(5)
      async below(): Promise<void> {
        await this.run();
      }
      private async run(): Promise<void> {
        most = Math.max(most, ++running);
        ran.add(this);
        await sleep(2);
        running--;
      }
    }
    const boot = async () => {
      const app = await Test.createTestingModule({
        imports: [coordination(), ScheduleModule.forRoot()],
        providers: [Schedules],
      }).compile();
      closers.push(() => app.close());
      await app.init();
    };
    await Promise.all([boot(), boot()]);
    await waitFor(() => ran.size === 2, { what: 'both processes to have had a turn' });

    expect(most).toBe(1);
  });
});

describe('what a connection provides', () => {
  @Injectable()
  class Shop {
    @DistributedLock('stock', { connection: 'reports' })
    async there(): Promise<bigint | undefined> {
      return currentLock()?.token;
    }
    @DistributedLock('stock')
    async here(): Promise<bigint | undefined> {
      await sleep(5);
      return currentLock()?.token;
    }
    @DistributedLock('rows')
    rows(): Observable<number> {
      return defer(() => of(1, 2));
    }
  }

  async function boot(shop: object, drainTimeoutMs = 10_000): Promise<TestingModule> {
    const app = await Test.createTestingModule({
      imports: [coordination({ drainTimeoutMs }), coordination({ connection: 'reports' })],
      providers: [{ provide: Shop, ...shop } as never],
    }).compile();
    closers.push(() => app.close());
    await app.init();
    return app;
  }

  it.each([
    ['a class', { useClass: Shop }],
    ['a factory', { useFactory: () => new Shop() }],
    ['a value', { useValue: new Shop() }],
  ])('reaches an object that comes of %s, over each connection', async (_, provider) => {
    const app = await boot(provider);
    const shop = app.get(Shop);

    expect(await shop.there()).toBeGreaterThan(0n);
    const [first, second] = await Promise.all([shop.here(), shop.here()]);
    expect(second).toBeGreaterThan(first!);
    expect(await lastValueFrom(shop.rows().pipe(toArray()))).toEqual([1, 2]);
    for (const service of [LockService, EtcdTransactions]) {
      const named = getCoordinationToken<unknown>(service, 'reports');
      expect(app.get(named)).toBeInstanceOf(service);
      expect(app.get(named)).not.toBe(app.get(service));
    }
  });

  it('drains what runs under locks when the application leaves, and refuses who would wait', async () => {
    const log = vi.spyOn(Logger.prototype, 'log');
    const app = await boot({ useClass: Shop });
    const locks = app.get(LockService);
    const later = await other();
    const events: string[] = [];
    let finish!: () => void;
    const working = locks.using('stock', () => new Promise<void>((resolve) => (finish = resolve)));
    await waitFor(() => finish, { what: 'the work to begin' });
    const waiting = locks.using('stock', () => events.push('never'));
    const next = later.acquire('stock').then(() => events.push('handed over'));

    const closing = app.close();
    await expect(waiting).rejects.toMatchObject({ code: 'LOCK_SHUTDOWN', statusCode: 503 });
    // Whoever could have it would have it by the time that another lock came and went.
    await later.using('another', () => undefined);
    expect(events).toEqual([]);
    events.push('finishes');
    finish();
    await working;
    await next;
    await closing;

    expect(events).toEqual(['finishes', 'handed over']);
    const lines = log.mock.calls.map(([line]) => String(line));
    expect(lines).toContainEqual(
      expect.stringMatching(/"default", draining work under locks: done in/),
    );
    await expect(locks.acquire('stock')).rejects.toMatchObject({ code: 'LOCK_SHUTDOWN' });
  });

  it('loses, at the end, what was held past the budget', async () => {
    const app = await boot({ useClass: Shop }, 10);
    const handle = await app.get(LockService).acquire('held');
    await app.close();

    expect(handle.isValid()).toBe(false);
    expect(handle.signal.reason).toMatchObject({ code: 'LOCK_LOST', reason: 'shutdown' });
  });
});
