import { Controller, Get, type INestApplication, Logger, Module } from '@nestjs/common';
import { type HttpAdapterHost, NestFactory } from '@nestjs/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePorts } from '../../../../test/support/free-port.js';
import { settle, VirtualClock } from '../../../../test/support/virtual-clock.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { InvalidServiceUrlError } from '../discovery/call/call.errors.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { pause } from '../client/clock.js';
import { EmbeddedEtcd } from '../embedded/embedded-etcd.js';
import { DuplicateInstanceError } from '../registry/registry.errors.js';
import type { CoordinationOptions } from './coordination-options.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';
import { RegistryParticipation } from './registry-participation.js';

@Controller()
class Stock {
  @Get('stock')
  stock(): string {
    return 'plenty';
  }
}

describe('an application that says where it serves', () => {
  let etcd: EmbeddedEtcd;
  let port: number;
  const running: INestApplication[] = [];

  beforeAll(async () => {
    etcd = await EmbeddedEtcd.start({ logger: false });
  });
  afterAll(() => etcd.close());
  beforeEach(async () => {
    [port] = (await freePorts(1)) as [number];
  });
  afterEach(async () => {
    await Promise.all(running.splice(0).map((app) => app.close()));
  });

  async function start(options: Partial<CoordinationOptions> = {}): Promise<INestApplication> {
    const root = EtcdCoordinationModule.forRoot({
      endpoints: [etcd.endpoint],
      service: { name: 'stock', address: `http://127.0.0.1:${port}`, zone: 'a' },
      ...options,
    });
    @Module({ imports: [root], controllers: [Stock] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, { logger: false, abortOnError: false });
    running.push(app);
    return app;
  }
  const statesOf = (app: INestApplication) =>
    app
      .get(ServiceDiscovery)
      .instances('stock')
      .map(({ id, state }) => [id, state]);

  it('is registered while it starts, up once it listens, and drains before its server closes', async () => {
    const consumer = await start({ instanceId: 'c', service: { name: 'orders' } });
    await consumer.init();
    const discovery = consumer.get(ServiceDiscovery);
    await discovery.ready('stock');
    expect(statesOf(consumer)).toEqual([]);

    const app = await start({ instanceId: 's1' });
    await app.init();
    await waitFor(() => statesOf(consumer).length === 1, { what: 's1 to be registered' });
    expect(statesOf(consumer)).toEqual([['s1', 'starting']]);
    await app.listen(port, '127.0.0.1');
    await waitFor(() => statesOf(consumer)[0]?.[1] === 'up', { what: 's1 to be up' });
    const { address, zone } = discovery.choose('stock');
    expect([address, zone]).toEqual([`http://127.0.0.1:${port}`, 'a']);

    const closing = app.close();
    await waitFor(() => statesOf(consumer)[0]?.[1] === 'draining', { what: 's1 to drain' });
    // It has only given notice.
    expect(await (await fetch(`${address}/stock`)).text()).toBe('plenty');
    await closing;
    await waitFor(() => statesOf(consumer).length === 0, { what: 's1 to be gone' });
  });

  it('is called by its name', async () => {
    const app = await start({ instanceId: 's1' });
    await app.listen(port, '127.0.0.1');
    const discovery = app.get(ServiceDiscovery);
    await waitFor(() => statesOf(app)[0]?.[1] === 'up', { what: 's1 to be up' });
    const answer = await discovery.fetch('service://stock/stock');
    expect(await answer.text()).toBe('plenty');
    await expect(discovery.call('stock', ({ id }) => id)).resolves.toBe('s1');
    await expect(discovery.fetch('http://stock/stock')).rejects.toBeInstanceOf(
      InvalidServiceUrlError,
    );
  });

  it('is probed by its fleet if it asks for that', async () => {
    const probe = { kind: 'http', target: '/unknown', intervalMs: 250, failures: 1 } as const;
    const service = { name: 'stock', address: `http://127.0.0.1:${port}`, health: { probe } };
    const app = await start({ instanceId: 's1', service });
    await app.listen(port, '127.0.0.1');
    await waitFor(() => statesOf(app)[0]?.[1] === 'down', { what: 's1 to be found down' });
    const [s1] = app.get(ServiceDiscovery).instances('stock');
    expect(s1!.words).toContainEqual(
      expect.objectContaining({ source: 'probe', by: 's1', state: 'down' }),
    );
  });

  it('leaves the probing of it to others if it is told to', async () => {
    const probe = { kind: 'http', target: '/unknown', intervalMs: 250, failures: 1 } as const;
    const service = { name: 'stock', address: `http://127.0.0.1:${port}`, health: { probe } };
    const app = await start({ instanceId: 's1', service, registry: { prober: false } });
    await app.listen(port, '127.0.0.1');
    const monitor = await start({
      ...{ instanceId: 'monitor', service: { name: 'monitor' }, registry: { prober: true } },
    });
    await monitor.init();
    await waitFor(() => statesOf(app)[0]?.[1] === 'down', { what: 's1 to be found down' });
    const [s1] = app.get(ServiceDiscovery).instances('stock');
    expect(s1!.words.at(-1)).toMatchObject({ source: 'probe', by: 'monitor' });
  });

  it('does not start beside a living one of the same id', async () => {
    await (await start({ instanceId: 'twin' })).init();
    const second = await start({ instanceId: 'twin' });
    await expect(second.init()).rejects.toBeInstanceOf(DuplicateInstanceError);
  });

  it('is not registered if it is not to be', async () => {
    const service = { name: 'stock', address: `http://127.0.0.1:${port}`, register: false };
    const app = await start({ service });
    await app.listen(port, '127.0.0.1');
    await app.get(ServiceDiscovery).ready('stock');
    expect(statesOf(app)).toEqual([]);
  });

  it.each([
    [{ register: true }, 'service.register'],
    [{ health: { intervalMs: 1000 } }, 'service.health'],
    [{ address: 'http://h:0' }, 'service.address'],
    [{ address: 'http://h:70000' }, 'service.address'],
    [{ address: 'h:1', protocol: 'smtp' as never }, 'service.protocol'],
    [{ address: 'h:1', metadata: { a: 'x'.repeat(65_536) } }, 'service.metadata'],
    [{ address: 'h:1', health: { intervalMs: -1 } }, 'service.health.intervalMs'],
  ])('refuses %j before anything connects', (service, option) => {
    expect(() =>
      EtcdCoordinationModule.forRoot({
        endpoints: [etcd.endpoint],
        service: { name: 'stock', ...service },
      }),
    ).toThrow(expect.objectContaining({ code: 'INVALID_OPTION', option }));
  });

  it.each([
    [{ prober: 'yes' as never }, 'registry.prober'],
    [{ probe: true } as never, 'registry.probe'],
  ])('refuses %j for its part in the registry', (registry, option) => {
    expect(() => EtcdCoordinationModule.forRoot({ endpoints: [etcd.endpoint], registry })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', option }),
    );
  });
});

describe('an own registration that fails after the start has gone on', () => {
  it('is tried again until it stands, or the application leaves', async () => {
    const clock = new VirtualClock();
    const connection = { isLeaving: false, hasStarted: false, start: async () => undefined };
    const fates = [
      new DuplicateInstanceError('s', 'i'),
      new DuplicateInstanceError('s', 'i'),
      null,
    ];
    let asked = 0;
    const register = async () => {
      const fate = fates[asked++ % fates.length];
      await pause(clock, 5);
      if (fate) throw fate;
    };
    const parts = {
      options: { registration: { name: 's' }, client: { timeouts: { registration: 5000 } } },
      client: { clock, isAwaited: true },
      registry: { register },
      probing: { begin: () => undefined },
    };
    const all = [Object.assign(connection, { parts })];
    const start = () => {
      const registry = { all, allOrNone: (run: () => Promise<void>) => run() };
      const one = new RegistryParticipation(registry as never, {} as HttpAdapterHost);
      return one.onApplicationBootstrap().then(() => one);
    };
    Logger.overrideLogger(false);
    const started = start();
    await clock.advance(10);
    await started;
    expect(asked).toBe(1);
    await clock.advance(60_000);
    expect([asked, clock.pending]).toEqual([3, 0]);

    const second = start();
    await clock.advance(10);
    const participation = await second;
    await clock.advance(5);
    connection.isLeaving = true;
    participation.onModuleDestroy();
    await settle();
    expect([asked, clock.pending]).toEqual([4, 0]);
  });
});
