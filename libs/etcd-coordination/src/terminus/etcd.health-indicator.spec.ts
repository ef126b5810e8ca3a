import { Controller, Get, type INestApplication, Module } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConnectionRegistry } from '../module/connection-registry.js';
import { EtcdSession } from '../session/etcd-session.js';
import type { SessionState } from '../session/session-state.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { EtcdCoordinationModule } from '../module/etcd-coordination.module.js';
import { ServiceDiscovery } from '../discovery/service.discovery.js';
import { EtcdHealthIndicator } from './etcd.health-indicator.js';
import { InvalidHealthOptionError } from './invalid-health-option.error.js';

let etcd: EmbeddedEtcd;
let app: INestApplication;

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});
afterAll(() => etcd.close());

beforeEach(async () => {
  @Controller()
  class HealthController {
    constructor(
      private readonly health: HealthCheckService,
      private readonly etcdHealth: EtcdHealthIndicator,
    ) {}
    @Get('health')
    check() {
      return this.health.check([() => this.etcdHealth.check('etcd')]);
    }
  }
  @Module({
    imports: [TerminusModule.forRoot({ logger: false })],
    providers: [EtcdHealthIndicator],
    controllers: [HealthController],
  })
  class HealthModule {}
  const module = await Test.createTestingModule({
    imports: [EtcdCoordinationModule.forRoot({ endpoints: [etcd.endpoint] }), HealthModule],
  }).compile();
  app = module.createNestApplication({ logger: false });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await app.close();
});

const indicator = () => app.get(EtcdHealthIndicator, { strict: false });

function sessionIs(state: SessionState): void {
  vi.spyOn(EtcdSession.prototype, 'state', 'get').mockReturnValue(state);
}

async function ask() {
  await app.listen(0, '127.0.0.1');
  const answer = await fetch(`${await app.getUrl()}/health`);
  return { status: answer.status, body: (await answer.json()) as { status: string } };
}

describe('EtcdHealthIndicator', () => {
  it('is up while the lease stands', async () => {
    expect(await ask()).toMatchObject({
      status: 200,
      body: { status: 'ok', details: { etcd: { status: 'up', session: 'active' } } },
    });
  });

  it.each(['suspect', 'lost', 'connecting'] as const)(
    'is degraded, and still served, when the session is %s',
    async (state) => {
      await app.init();
      sessionIs(state);

      expect(await ask()).toMatchObject({
        status: 200,
        body: { status: 'degraded', details: { etcd: { status: 'degraded', session: state } } },
      });
    },
  );

  it('is up with a word where Terminus knows nothing in between', async () => {
    await app.init();
    sessionIs('suspect');
    const asTerminus11 = vi.spyOn(HealthIndicatorService.prototype, 'check');
    asTerminus11.mockImplementation(
      (key: string) => ({ up: (data: object) => ({ [key]: { status: 'up', ...data } }) }) as never,
    );

    expect(indicator().check('etcd')).toMatchObject({
      etcd: { status: 'up', degraded: true, session: 'suspect' },
    });
  });

  it.each(['idle', 'connecting'] as const)('is down before the first lease: %s', async (state) => {
    sessionIs(state);

    expect(indicator().check('etcd')).toMatchObject({
      etcd: { status: 'down', session: state, message: 'etcd has not granted a lease yet.' },
    });
  });

  it('is down from the first moment of a shutdown', async () => {
    await app.init();
    const [connection] = app.get(ConnectionRegistry, { strict: false }).all;
    expect(indicator().check('etcd')).toMatchObject({ etcd: { status: 'up' } });

    const leaving = connection!.leave();

    expect(indicator().check('etcd')).toMatchObject({
      etcd: { status: 'down', message: 'The application is shutting down.' },
    });
    await leaving;
    await app.close();
    expect(indicator().check('etcd')).toMatchObject({ etcd: { status: 'down' } });
  });

  it('is not ready before it has what it asked for, and is ever after', async () => {
    await app.init();
    const ready = (services: string[]) => indicator().readiness('etcd', { services }).etcd;
    expect(ready(['inventory'])).toMatchObject({
      status: 'down',
      message: 'There is no list of the instances of the service "inventory" yet.',
    });
    await app.get(ServiceDiscovery).ready('inventory');
    expect(ready(['inventory'])).toMatchObject({
      status: 'degraded',
      message: 'No instance of the service "inventory" can take a call.',
    });
    // It serves already: what it comes to want now is no reason to take its traffic away.
    expect(ready(['orders'])).toMatchObject({ status: 'degraded' });
  });

  it('looks away from what it is told to', async () => {
    await app.init();
    const without = ['discovery', 'watches'] as const;
    const ready = indicator().readiness('etcd', { services: ['inventory'], without });
    expect(ready).toMatchObject({ etcd: { status: 'up', configs: {}, registrations: [] } });
    expect(ready.etcd).not.toHaveProperty('services');
    expect(ready.etcd).not.toHaveProperty('watches');
  });

  it('refuses options that it cannot take, whichever check is asked', async () => {
    await app.init();
    const wrong = { staleAfterMs: -1 } as never;
    expect(() => indicator().readiness('etcd', wrong)).toThrow(InvalidHealthOptionError);
    expect(() => indicator().liveness('etcd', wrong)).toThrow(/no such option/);
    expect(() => indicator().check('etcd', wrong)).toThrow(/no such option/);
  });

  it('names a connection that there is none of', async () => {
    await app.init();

    expect(() => indicator().check('etcd', { connection: 'reports' })).toThrow(
      /The health check "etcd" asks for the etcd connection "reports".*it has "default"/,
    );
  });
});
