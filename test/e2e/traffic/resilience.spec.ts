import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Injectable, Logger, type INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { configLayerKey } from '../../../libs/etcd-coordination/src/client/keys.js';
import { ConfigStore } from '../../../libs/etcd-coordination/src/config/config.store.js';
import { EtcdCoordinationModule } from '../../../libs/etcd-coordination/src/module/etcd-coordination.module.js';
import { currentCall } from '../../../libs/etcd-coordination/src/traffic/resilience/current-call.js';
import { Resilience } from '../../../libs/etcd-coordination/src/traffic/resilience/resilience.service.js';
import { Resilient } from '../../../libs/etcd-coordination/src/traffic/resilience/resilient.decorator.js';
import { putKey } from '../../support/etcd-admin.js';
import { waitFor } from '../../support/wait-for.js';
import { serversUnderTest, type ServerUnderTest } from '../watch/servers.js';

const POLICIES = {
  stock: { timeoutMs: 5000, breaker: { failures: 3, openMs: 1500 } },
  prices: {},
};

/** A dependency that answers as a test says, over HTTP. */
class StockServer {
  answer: 'well' | 'badly' | 'never' = 'well';
  asked = 0;
  running = 0;

  private constructor(private readonly server: Server) {
    server.on('request', (_, response) => {
      this.asked += 1;
      this.running += 1;
      response.on('close', () => (this.running -= 1));
      if (this.answer === 'never') return;
      response.statusCode = this.answer === 'well' ? 200 : 500;
      response.end('7');
    });
  }

  static async start(): Promise<StockServer> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new StockServer(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let stock: StockServer;

@Controller('stock')
class StockController {
  @Get('bare')
  @Resilient('stock', { idempotent: true })
  async inStock(): Promise<string> {
    const answer = await fetch(stock.url, { signal: currentCall()!.signal });
    if (!answer.ok) throw new Error(`The stock answered ${answer.status}.`);
    return await answer.text();
  }

  @Get('backed')
  @Resilient('stock', { idempotent: true, fallback: 'lastKnown' })
  async backed(): Promise<string> {
    return await this.inStock();
  }

  lastKnown(): string {
    return 'as yesterday';
  }
}

const servers = await serversUnderTest();

describe.each(servers)('@Resilient under policies in etcd, on $name', ({ start }) => {
  let server: ServerUnderTest;
  let round = 0;
  let namespace: string;
  let apps: INestApplication[];

  beforeAll(async () => {
    server = await start();
    stock = await StockServer.start();
  });
  afterAll(async () => {
    await stock?.close();
    await server?.stop();
  });
  beforeEach(async () => {
    namespace = `resilience-${(round += 1)}`;
    stock.answer = 'well';
    stock.asked = 0;
    apps = await Promise.all(['one', 'two'].map(boot));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    await Promise.all(apps.map((app) => app.close()));
  });

  async function boot(instanceId: string): Promise<INestApplication> {
    const module = await Test.createTestingModule({
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: [server.endpoint],
          namespace,
          instanceId,
          traffic: { policies: POLICIES },
        }),
      ],
      controllers: [StockController],
    })
      .setLogger(new Logger())
      .compile();
    const app = module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    return app;
  }

  async function get(app: INestApplication, path: string): Promise<[number, string]> {
    const answer = await fetch(`${await app.getUrl()}/stock/${path}`);
    return [answer.status, await answer.text()];
  }

  const documentOf = 'traffic/policies/stock';
  const storeOf = (app: INestApplication) => app.get(ConfigStore);
  const stateOf = (app: INestApplication) => app.get(Resilience).breaker('stock').state;

  it('opens the breaker of a dependency that fails, answers without it, and closes it again', async () => {
    const app = apps[0]!;
    expect(await get(app, 'bare')).toEqual([200, '7']);
    stock.answer = 'badly';
    for (let i = 0; i < 3; i++) expect((await get(app, 'bare'))[0]).toBe(500);
    const [status, body] = await get(app, 'bare');
    expect(status).toBe(503);
    expect(body).toMatch(/The breaker of the policy .*stock.* is open/);
    expect(await get(app, 'backed')).toEqual([200, 'as yesterday']);
    expect(stock.asked).toBe(4);
    // That of the other instance is its own.
    expect(stateOf(apps[1]!)).toBe('closed');

    stock.answer = 'well';
    await waitFor(async () => (await get(app, 'bare'))[0] === 200, {
      what: 'the breaker to close',
    });
    expect(stateOf(app)).toBe('closed');
  });

  it('turns its numbers in every instance as a document does, and takes a part away', async () => {
    stock.answer = 'never';
    const store = storeOf(apps[0]!);
    await store.set(documentOf, { timeoutMs: 50 }, { author: 'ada', reason: 'it hangs' });
    for (const app of apps) {
      await waitFor(async () => (await get(app, 'bare'))[0] === 504, { what: 'the new timeout' });
    }
    // What was given up has heard of it.
    await waitFor(() => stock.running === 0, { what: 'the dependency to be let go' });
    const [latest] = await store.history(documentOf);
    expect(latest).toMatchObject({ author: 'ada', reason: 'it hangs' });

    stock.answer = 'badly';
    await store.set(documentOf, { breaker: null });
    for (const app of apps) {
      await waitFor(() => app.get(Resilience).breaker('stock').lastFailure === undefined, {
        what: 'the breaker to go',
      });
      for (let i = 0; i < 5; i++) expect((await get(app, 'bare'))[0]).toBe(500);
    }
  });

  it('refuses numbers that cannot be: the last good ones stand', async () => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    stock.answer = 'badly';
    await storeOf(apps[0]!).set(documentOf, { breaker: { failures: 1, openMs: 60_000 } });
    await waitFor(
      async () => {
        await get(apps[0]!, 'bare');
        return stateOf(apps[0]!) === 'open';
      },
      { what: 'the breaker to open' },
    );
    const other = apps[1]!;
    const wrong = JSON.stringify({ breaker: { failures: 0 } });
    await putKey(server.endpoint, configLayerKey(namespace, documentOf, ['shared']), wrong);
    const isRefused = () =>
      storeOf(other)
        .status()
        .some(({ key, rejected }) => key === documentOf && rejected);
    await waitFor(isRefused, { what: 'the refusal' });

    expect((await get(other, 'bare'))[0]).toBe(500);
    expect(stateOf(other)).toBe('open');
    expect(errors.mock.calls.map(([line]) => String(line))).toContainEqual(
      expect.stringMatching(/breaker\.failures.*is 0: give a whole number.*last good value stands/),
    );
  });

  it('does not start under a policy that nobody has declared, and lists those that are', async () => {
    @Injectable()
    class Misled {
      @Resilient('stok')
      async call(): Promise<void> {}
    }
    const module = await Test.createTestingModule({
      imports: [
        EtcdCoordinationModule.forRoot({
          endpoints: [server.endpoint],
          namespace,
          connection: 'default',
          traffic: { policies: POLICIES },
        }),
      ],
      providers: [Misled],
    }).compile();

    await expect(module.init()).rejects.toMatchObject({
      code: 'UNKNOWN_TRAFFIC_NAME',
      message: expect.stringMatching(
        /no policy "stok", which Misled.call asks for. Those are: "stock", "prices"/,
      ) as string,
    });
    await module.close();
  });
});
