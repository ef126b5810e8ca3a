import {
  Controller,
  Inject,
  Injectable,
  Module,
  type ModuleMetadata,
  type Type,
} from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../../test/support/free-port.js';
import { EtcdClient } from '../client/etcd-client.js';
import { EtcdConnectError } from '../client/etcd-connect.error.js';
import { ElectionService } from '../election/election.service.js';
import { Leader } from '../election/leader.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { EtcdSession } from '../session/etcd-session.js';
import type { CoordinationOptions, CoordinationOptionsFactory } from './coordination-options.js';
import { DuplicateConnectionError, OptionsFactoryError } from './coordination.errors.js';
import {
  getCoordinationToken,
  getEtcdToken,
  InjectCoordination,
  InjectEtcd,
} from './coordination.tokens.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';
import { InvalidOptionError } from './invalid-option.error.js';

let etcd: EmbeddedEtcd;
const apps: TestingModule[] = [];

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start();
});
afterAll(() => etcd.close());
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function boot(metadata: ModuleMetadata): Promise<TestingModule> {
  const app = await Test.createTestingModule(metadata).compile();
  apps.push(app);
  await app.init();
  return app;
}

const options = (more: Partial<CoordinationOptions> = {}): CoordinationOptions => ({
  endpoints: [etcd.endpoint],
  ...more,
});

describe('EtcdCoordinationModule.forRoot', () => {
  it('provides each service under its class, and the raw client, everywhere', async () => {
    @Injectable()
    class User {
      constructor(
        readonly elections: ElectionService,
        readonly session: EtcdSession,
        readonly client: EtcdClient,
        @InjectEtcd() readonly raw: Etcd3,
      ) {}
    }
    @Module({ providers: [User] })
    class FeatureModule {}

    const app = await boot({ imports: [FeatureModule, EtcdCoordinationModule.forRoot(options())] });
    const user = app.get(User, { strict: false });

    expect(user.elections).toBeInstanceOf(ElectionService);
    expect(user.session.state).toBe('active');
    expect(user.raw).toBe(user.client.etcd);
    await user.raw.put('a').value('b');
    expect(await user.raw.get('a').string()).toBe('b');
  });

  it('keeps named connections apart from each other and from the class tokens', async () => {
    @Injectable()
    class User {
      constructor(
        @InjectCoordination(ElectionService, 'orders') readonly orders: ElectionService,
        @InjectCoordination(ElectionService, 'reports') readonly reports: ElectionService,
        @InjectEtcd('reports') readonly raw: Etcd3,
      ) {}
    }
    const app = await boot({
      imports: [
        EtcdCoordinationModule.forRoot(options({ connection: 'orders', instanceId: 'o' })),
        EtcdCoordinationModule.forRoot(
          options({ connection: 'reports', namespace: 'other', instanceId: 'r' }),
        ),
      ],
      providers: [User],
    });
    const { orders, reports, raw } = app.get(User);

    const term = await orders.campaign('x');
    const other = await reports.campaign('x');

    expect(orders).not.toBe(reports);
    expect(term.fence.key).toMatch(/^coordination\/election\/x\//);
    expect(other.fence.key).toMatch(/^other\/election\/x\//);
    expect(raw).toBe(app.get(getEtcdToken('reports')));
    expect(app.get(getCoordinationToken(ElectionService, 'orders'))).toBe(orders);
    expect(() => app.get(ElectionService, { strict: false })).toThrow();
  });

  it('names what to import to who asks for a connection that there is none of', async () => {
    @Injectable()
    class User {
      constructor(@InjectEtcd('reports') readonly raw: Etcd3) {}
    }

    await expect(
      boot({ imports: [EtcdCoordinationModule.forRoot(options())], providers: [User] }),
    ).rejects.toThrow(
      /Etcd3 \(import EtcdCoordinationModule\.forRoot\(\{ connection: 'reports', \.\.\. \}\)/,
    );
  });

  it('refuses wrong options at once', () => {
    expect(() => EtcdCoordinationModule.forRoot({ endpoints: [] })).toThrow(InvalidOptionError);
    expect(() => EtcdCoordinationModule.forRoot(undefined as never)).toThrow(InvalidOptionError);
  });

  it.each([undefined, 'reports'])('refuses the name %s twice', async (connection) => {
    const twice = () => EtcdCoordinationModule.forRoot(options(connection ? { connection } : {}));
    const starting = boot({ imports: [twice(), twice()] });

    await expect(starting).rejects.toThrow(DuplicateConnectionError);
    await expect(starting).rejects.toThrow(`named "${connection ?? 'default'}"`);
  });

  it('may be imported in several places, if it is the same', async () => {
    const shared = EtcdCoordinationModule.forRoot(options());
    @Module({ imports: [shared] })
    class FeatureModule {}

    await expect(boot({ imports: [shared, FeatureModule] })).resolves.toBeDefined();
  });

  it('serves two applications of one process, each on its own', async () => {
    const app = () => boot({ imports: [EtcdCoordinationModule.forRoot(options())] });
    const [one, two] = [await app(), await app()];

    expect(one.get(EtcdSession).lease?.id).not.toBe(two.get(EtcdSession).lease?.id);
    await one.close();
    expect(two.get(EtcdSession).state).toBe('active');
  });

  it('fails the start when no endpoint answers, and leaves no other connection open', async () => {
    const connected: EtcdClient[] = [];
    const connect = EtcdClient.connect.bind(EtcdClient);
    vi.spyOn(EtcdClient, 'connect').mockImplementation(async (given) => {
      const client = await connect(given);
      connected.push(client);
      return client;
    });
    const nowhere = `127.0.0.1:${await freePort()}`;

    const starting = boot({
      imports: [
        EtcdCoordinationModule.forRoot(options()),
        EtcdCoordinationModule.forRoot({ endpoints: [nowhere], connection: 'dead' }),
      ],
    });

    await expect(starting).rejects.toThrow(EtcdConnectError);
    await expect(starting).rejects.toThrow(nowhere);
    // The other one may have come about just before or just after.
    await vi.waitFor(() => expect(connected).toHaveLength(1));
    await vi.waitFor(() => expect(connected[0]?.isClosed).toBe(true));
  });

  it.each(['session', 'elections'])(
    'closes everything when the start fails for want of %s',
    async (what) => {
      const failure = new Error('not today');
      const failing =
        what === 'session'
          ? vi.spyOn(EtcdSession.prototype, 'start')
          : vi.spyOn(ElectionService.prototype, 'join');
      failing.mockRejectedValue(failure);
      @Injectable()
      class Jobs {
        @Leader('jobs')
        run(): void {}
      }
      const app = await Test.createTestingModule({
        imports: [EtcdCoordinationModule.forRoot(options())],
        providers: [Jobs],
      }).compile();

      await expect(app.init()).rejects.toBe(failure);

      expect(app.get(EtcdClient).isClosed).toBe(true);
      expect(app.get(EtcdSession).state).toBe('closed');
      await expect(app.get(ElectionService).campaign('x')).rejects.toMatchObject({
        code: 'CANDIDACY_ENDED',
        message: expect.stringContaining('shutting down') as string,
      });
      // Nest may still be asked to close what never came up.
      await expect(app.close()).resolves.toBeUndefined();
    },
  );
});

describe('EtcdCoordinationModule.forRootAsync', () => {
  const SETTINGS = 'SETTINGS';
  @Module({
    providers: [{ provide: SETTINGS, useFactory: () => ({ url: etcd.endpoint }) }],
    exports: [SETTINGS],
  })
  class SettingsModule {}

  @Injectable()
  class Factory implements CoordinationOptionsFactory {
    constructor(@Inject(SETTINGS) private readonly settings: { url: string }) {}
    async createCoordinationOptions(): Promise<CoordinationOptions> {
      return { endpoints: [this.settings.url], instanceId: 'by-factory' };
    }
  }
  @Module({ imports: [SettingsModule], providers: [Factory], exports: [Factory] })
  class FactoryModule {}

  it.each([
    [
      'useFactory',
      () =>
        EtcdCoordinationModule.forRootAsync({
          imports: [SettingsModule],
          inject: [SETTINGS],
          useFactory: async (settings: { url: string }) => ({ endpoints: [settings.url] }),
        }),
    ],
    [
      'useClass',
      () => EtcdCoordinationModule.forRootAsync({ imports: [SettingsModule], useClass: Factory }),
    ],
    [
      'useExisting',
      () => EtcdCoordinationModule.forRootAsync({ imports: [FactoryModule], useExisting: Factory }),
    ],
  ])('makes the options by %s', async (_, make) => {
    const app = await boot({ imports: [make()] });

    expect(app.get(EtcdSession).state).toBe('active');
  });

  it('takes the name beside the factory, which may say it again', async () => {
    const app = await boot({
      imports: [
        EtcdCoordinationModule.forRootAsync({
          connection: 'reports',
          useFactory: () => options({ connection: 'reports' }),
        }),
        EtcdCoordinationModule.forRootAsync({ useFactory: () => options() }),
      ],
    });

    expect(app.get(getCoordinationToken(EtcdSession, 'reports'))).not.toBe(app.get(EtcdSession));
  });

  it('wraps what the factory throws, naming the connection', async () => {
    const failure = new Error('no settings today');
    const failing = (fail: () => never) =>
      boot({ imports: [EtcdCoordinationModule.forRootAsync({ useFactory: fail })] });

    await expect(
      failing(() => {
        throw failure;
      }),
    ).rejects.toMatchObject({
      name: OptionsFactoryError.name,
      code: 'OPTIONS_FACTORY_FAILED',
      cause: failure,
      message: expect.stringMatching(/connection "default" failed: no settings today/) as string,
    });
  });

  it.each([
    ['nothing', () => undefined, 'useFactory', 'returned undefined'],
    ['null', async () => null, 'useFactory', 'returned null'],
    ['no endpoints', () => ({ endpoints: [] }), 'endpoints', 'is empty'],
    ['a string', () => 'localhost:2379', 'options', "is 'localhost:2379'"],
    [
      'another name',
      () => options({ connection: 'reports' }),
      'connection',
      `forRootAsync({ connection: 'reports', useFactory: ... })`,
    ],
  ])('fails the start when the factory makes %s', async (_, useFactory, option, words) => {
    const starting = boot({
      imports: [EtcdCoordinationModule.forRootAsync({ useFactory: useFactory as never })],
    });

    await expect(starting).rejects.toBeInstanceOf(InvalidOptionError);
    await expect(starting).rejects.toMatchObject({ option });
    await expect(starting).rejects.toThrow(words);
  });

  it('refuses at once to have no way to make options', () => {
    expect(() => EtcdCoordinationModule.forRootAsync({} as never)).toThrow(
      /give one of useFactory, useClass and useExisting/,
    );
    expect(() => EtcdCoordinationModule.forRootAsync(undefined as never)).toThrow(
      InvalidOptionError,
    );
  });
});

describe('standing in elections from the start', () => {
  const job = (...elections: string[]): Type<object>[] =>
    elections.map((election) => {
      @Injectable()
      class Job {
        @Leader(election)
        run(): void {}
        @Leader(election)
        again(): void {}
      }
      return Job;
    });

  it('stands in each once, with its address, before the start is over', async () => {
    const app = await boot({
      imports: [
        EtcdCoordinationModule.forRoot(
          options({ instanceId: 'me', service: { name: 'jobs', address: 'http://10.0.0.7' } }),
        ),
      ],
      providers: job('start-a', 'start-b', 'start-a'),
    });
    const elections = app.get(ElectionService);

    for (const election of ['start-a', 'start-b']) {
      expect(await elections.candidates(election)).toEqual([
        { candidateId: 'me', value: 'http://10.0.0.7', since: expect.any(BigInt) as bigint },
      ]);
    }
  });

  it('refuses messages with what their senders get to read, naming who leads', async () => {
    @Controller()
    class Messages {
      @MessagePattern('sum')
      @Leader('messages', { otherwise: 'throw' })
      sum(): number {
        return 1;
      }
    }
    const here = (instanceId: string) => EtcdCoordinationModule.forRoot(options({ instanceId }));
    const leader = await boot({ imports: [here('first')] });
    const { epoch } = await leader.get(ElectionService).campaign('messages', { value: 'tcp://1' });
    const app = await boot({ imports: [here('second')], controllers: [Messages] });

    expect(() => app.get(Messages).sum()).toThrow(RpcException);
    try {
      app.get(Messages).sum();
    } catch (error) {
      expect((error as RpcException).getError()).toMatchObject({
        code: 'NOT_LEADER',
        instanceId: 'second',
        leader: { leaderId: 'first', value: 'tcp://1', epoch: `${epoch}` },
      });
      expect(error).toMatchObject({ cause: { name: 'NotLeaderError' } });
    }
  });

  it('starts without, after a while, when etcd is away for a moment', async () => {
    let stand: () => void = () => undefined;
    const standing = new Promise<void>((resolve) => (stand = resolve));
    vi.spyOn(ElectionService.prototype, 'join').mockReturnValue(standing);

    const app = await boot({
      imports: [EtcdCoordinationModule.forRoot(options({ timeouts: { registration: 1000 } }))],
      providers: job('away'),
    });
    stand();

    expect(app.get(EtcdSession).state).toBe('active');
  });
});
