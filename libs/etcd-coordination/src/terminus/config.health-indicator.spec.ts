import { join } from 'node:path';
import { Controller, Get, type INestApplication, Injectable, Module } from '@nestjs/common';
import { HealthCheckService, HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { Test } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { TcpProxy } from '../../../../test/support/tcp-proxy.js';
import { tempFolder } from '../../../../test/support/temp-folder.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { ConfigStore } from '../config/config.store.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { EtcdCoordinationModule } from '../module/etcd-coordination.module.js';
import { ConfigHealthIndicator } from './config.health-indicator.js';
import { EtcdHealthIndicator } from './etcd.health-indicator.js';

let etcd: EmbeddedEtcd;
let network: TcpProxy;
let namespace: string;
let round = 0;
const apps: INestApplication[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start({ logger: false });
});
afterAll(() => etcd.close());
beforeEach(async () => {
  network = await TcpProxy.start({ target: etcd.endpoint });
  namespace = `health-${(round += 1)}`;
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
  await network.close();
});

@Injectable()
class Reader {
  @WatchConfig('prices', {
    schema: z.object({
      perItem: z.number({ error: ({ input }) => `no number but ${String(input)}` }),
    }),
    default: { perItem: 0 },
  })
  readonly prices!: { readonly perItem: number };
}

@Controller('health')
class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly configs: ConfigHealthIndicator,
  ) {}
  @Get() check() {
    return this.health.check([() => this.configs.check('config')]);
  }
}

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  providers: [ConfigHealthIndicator, EtcdHealthIndicator, Reader],
  controllers: [HealthController],
})
class AppModule {}

async function boot(file?: string): Promise<INestApplication> {
  const module = await Test.createTestingModule({
    imports: [
      AppModule,
      EtcdCoordinationModule.forRoot({
        endpoints: [network.url],
        namespace,
        ...(file !== undefined && { config: { snapshot: { file } } }),
      }),
    ],
  }).compile();
  const app = module.createNestApplication({ logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

async function ask(app: INestApplication) {
  const answer = await fetch(`${await app.getUrl()}/health`);
  const body = (await answer.json()) as { status: string; details: { config: unknown } };
  return { http: answer.status, status: body.status, config: body.details.config };
}

const indicator = (app: INestApplication) => app.get(ConfigHealthIndicator, { strict: false });

describe('ConfigHealthIndicator', () => {
  it('is up while each value is what etcd holds', async () => {
    const app = await boot();
    const { revision } = await app.get(ConfigStore).set('prices', { perItem: 1 });
    await waitFor(() => app.get(Reader).prices.perItem === 1, { what: 'the value' });

    expect(await ask(app)).toEqual({
      http: 200,
      status: 'ok',
      config: {
        status: 'up',
        configs: {
          prices: {
            status: 'up',
            source: 'etcd',
            revision: revision.toString(),
            currentAt: expect.stringMatching(/^\d{4}-/) as unknown,
          },
        },
      },
    });
  });

  it('is degraded, and still served, by a push that was refused, until a good one comes', async () => {
    const app = await boot();
    await app.get(ConfigStore).set('prices', { perItem: 1 });
    const { revision } = await app
      .get(ConfigStore)
      .set('prices', { perItem: 'two' }, { schema: z.any() });
    await waitFor(() => app.get(ConfigStore).status()[0]?.rejected, { what: 'the refusal' });

    const message = expect.stringMatching(/"prices", layer "shared".*perItem/) as unknown;
    expect(await ask(app)).toMatchObject({
      http: 200,
      status: 'degraded',
      config: {
        status: 'degraded',
        message: expect.stringMatching(/The last good value stands\.$/) as unknown,
        configs: {
          prices: {
            status: 'degraded',
            source: 'etcd',
            rejected: { layer: 'shared', revision: revision.toString(), message },
          },
        },
      },
    });
    // The log has the schema's words, which quote the value; whoever may ask for the health has not.
    expect(app.get(ConfigStore).status()[0]?.rejected?.error.message).toContain(
      'no number but two',
    );
    expect(JSON.stringify(await ask(app))).not.toContain('two');
    await app.get(ConfigStore).set('prices', { perItem: 2 });
    await waitFor(() => app.get(Reader).prices.perItem === 2, { what: 'the good one' });
    expect(await ask(app)).toMatchObject({ status: 'ok' });
  });

  it('is up with a word where Terminus knows nothing in between', async () => {
    const app = await boot();
    await app.get(ConfigStore).set('prices', { perItem: 'two' }, { schema: z.any() });
    await waitFor(() => app.get(ConfigStore).status()[0]?.rejected, { what: 'the refusal' });
    const asTerminus11 = vi.spyOn(HealthIndicatorService.prototype, 'check');
    asTerminus11.mockImplementation(
      (key: string) => ({ up: (data: object) => ({ [key]: { status: 'up', ...data } }) }) as never,
    );

    expect(indicator(app).check('config')).toMatchObject({
      config: { status: 'up', degraded: true, configs: { prices: { status: 'degraded' } } },
    });
  });

  it('is degraded when a value may be stale', async () => {
    const app = await boot();
    expect(indicator(app).check('config')).toMatchObject({ config: { status: 'up' } });
    network.blackhole();
    await waitFor(
      () => indicator(app).check('config', { staleAfterMs: 500 }).config.status === 'degraded',
      { what: 'it to be stale' },
    );
    expect(indicator(app).check('config', { staleAfterMs: 500 })).toMatchObject({
      config: {
        message: expect.stringMatching(/"prices" may be stale: it was last at 2/) as unknown,
      },
    });
    await network.pass();
  });

  it('is degraded by a snapshot that cannot be used, naming it', async () => {
    const file = join(tempFolder('health'), 'config');
    const other = await boot(file);
    await other.close();
    // A corrupt one would be written anew within moments; another fleet's is left alone.
    namespace = `${namespace}-of-others`;
    const app = await boot(file);

    expect(await ask(app)).toMatchObject({
      status: 'degraded',
      config: {
        message: expect.stringContaining(file) as unknown,
        snapshot: { reason: 'foreign', message: expect.stringContaining(file) as unknown },
      },
    });
  });

  it('says that the values are those of the snapshot, and the session that nothing leads', async () => {
    const file = join(tempFolder('health'), 'config');
    const first = await boot(file);
    await first.get(ConfigStore).set('prices', { perItem: 3 });
    await waitFor(() => first.get(Reader).prices.perItem === 3, { what: 'the value' });
    await first.close();
    await network.refuse();
    const app = await boot(file);

    expect(app.get(Reader).prices).toEqual({ perItem: 3 });
    expect(await ask(app)).toMatchObject({
      http: 200,
      status: 'degraded',
      config: {
        configs: {
          prices: {
            source: 'snapshot',
            message: expect.stringMatching(
              /of the snapshot of 2.*; etcd does not answer/,
            ) as unknown,
          },
        },
      },
    });
    const session = app.get(EtcdHealthIndicator, { strict: false });
    expect(session.check('etcd')).toMatchObject({
      etcd: { status: 'degraded', message: expect.stringMatching(/leads nothing/) as unknown },
    });
    await network.pass();
    await waitFor(() => session.check('etcd').etcd.status === 'up', { what: 'the session' });
    await waitFor(async () => (await ask(app)).status === 'ok', { what: 'the configuration' });
  });

  it('names a connection that there is none of', async () => {
    const app = await boot();
    expect(() => indicator(app).check('config', { connection: 'reports' })).toThrow(
      /The health check "config" asks for the etcd connection "reports"/,
    );
  });
});
