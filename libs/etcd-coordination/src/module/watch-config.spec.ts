import {
  Global,
  Inject,
  Injectable,
  Logger,
  Module,
  type ModuleMetadata,
  type OnApplicationBootstrap,
  type OnModuleInit,
  Scope,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { TcpProxy } from '../../../../test/support/tcp-proxy.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import type { ConfigChange } from '../config/config-change.js';
import {
  ConfigDeclarationError,
  ConfigInvalidError,
  ConfigMissingError,
} from '../config/config.errors.js';
import { EtcdClient } from '../client/etcd-client.js';
import { ConfigStore } from '../config/config.store.js';
import { ConfigReleases } from '../config/release/config-releases.service.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import { EmbeddedEtcd } from '../embedded/index.js';
import { WatchService } from '../watch/watch.service.js';
import { ConfigParticipation } from './config-participation.js';
import { ConnectionRegistry } from './connection-registry.js';
import type { CoordinationOptions } from './coordination-options.js';
import { UnknownConnectionError } from './coordination.errors.js';
import { getCoordinationToken } from './coordination.tokens.js';
import { EtcdCoordinationModule } from './etcd-coordination.module.js';

interface Prices {
  readonly perItem: number;
}
const Prices = z.object({ perItem: z.number() });

let etcd: EmbeddedEtcd;
let writer: TestingModule;
let namespace: string;
let round = 0;
const apps: TestingModule[] = [];

const options = (more: Partial<CoordinationOptions> = {}): CoordinationOptions => ({
  endpoints: [etcd.endpoint],
  namespace,
  ...more,
});

beforeAll(async () => {
  etcd = await EmbeddedEtcd.start({ logger: false });
});
afterAll(() => etcd.close());
beforeEach(async () => {
  namespace = `ns-${(round += 1)}`;
  writer = await boot({});
  await set('prices', { perItem: 1 });
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
  vi.restoreAllMocks();
});

async function compile(metadata: ModuleMetadata, connections = [options()]) {
  const app = await Test.createTestingModule({
    ...metadata,
    imports: [
      ...(metadata.imports ?? []),
      ...connections.map((connection) => EtcdCoordinationModule.forRoot(connection)),
    ],
  })
    .setLogger(new Logger())
    .compile();
  apps.push(app);
  return app;
}

async function boot(metadata: ModuleMetadata, connections?: CoordinationOptions[]) {
  return (await compile(metadata, connections)).init();
}

const set = (key: string, value: unknown) => writer.get(ConfigStore).set(key, value);

describe('the configuration of a connection', () => {
  it('is provided under the classes and the tokens of its name', async () => {
    const app = await boot({}, [options(), options({ connection: 'reports', namespace: 'other' })]);

    for (const service of [ConfigStore, ConfigReleases, WatchService]) {
      expect(app.get<object>(service)).toBeInstanceOf(service);
      const reports = app.get<object>(getCoordinationToken<object>(service, 'reports'));
      expect(reports).toBeInstanceOf(service);
      expect(reports).not.toBe(app.get(service));
    }
    const events: string[] = [];
    const watching = app.get(WatchService).key('x', { onStanding: () => events.push('standing') });
    watching.subscribe(({ key }) => events.push(key));
    await waitFor(() => events.length === 1, { what: 'the watch to stand' });
    await app.get(EtcdClient).etcd.put(`${namespace}/x`).value('1').exec();
    await waitFor(() => events.length === 2, { what: 'the event' });
    expect(events).toEqual(['standing', 'x']);
    await app.get(ConfigStore).set('prices', { perItem: 2 });
    expect((await app.get(ConfigStore).get('prices')).value).toEqual({ perItem: 2 });
  });

  it('merges the layers of the service that the options name', async () => {
    @Injectable()
    class Reader {
      @WatchConfig('prices') readonly prices!: unknown;
    }
    const store = writer.get(ConfigStore);
    await store.set('prices', { a: 's' }, { layer: 'service:orders' });
    await store.set('prices', { b: 'z' }, { layer: 'zone:eu' });
    await store.set('prices', { c: 'i' }, { layer: 'instance:me' });
    await store.set('prices', { d: 'no' }, { layer: 'zone:us' });
    const service = { name: 'orders', zone: 'eu' };
    const app = await boot({ providers: [Reader] }, [options({ service, instanceId: 'me' })]);

    expect(app.get(Reader).prices).toEqual({ perItem: 1, a: 's', b: 'z', c: 'i' });
  });
});

describe('@WatchConfig on properties', () => {
  it('is loaded before anything of the application runs', async () => {
    const seen: Record<string, unknown> = {};
    @Injectable()
    class Early implements OnModuleInit {
      @WatchConfig('prices', { schema: Prices }) readonly prices!: Prices;
      onModuleInit(): void {
        seen['a global module'] = this.prices;
      }
    }
    @Global()
    @Module({ providers: [Early], exports: [Early] })
    class EarlyModule {}
    // Nest makes this one while others still wait, and it looks at once.
    const made = {
      provide: 'made',
      inject: [Early],
      useFactory: ({ prices }: Early) => (seen['a factory'] = prices),
    };
    await boot({ imports: [EarlyModule], providers: [made] });

    expect(seen).toEqual({ 'a global module': { perItem: 1 }, 'a factory': { perItem: 1 } });
  });

  it('shows each change', async () => {
    @Injectable()
    class Reader {
      @WatchConfig('prices', { schema: Prices }) readonly prices!: Prices;
    }
    const reader = (await boot({ providers: [Reader] })).get(Reader);
    await set('prices', { perItem: 2 });
    await waitFor(() => reader.prices.perItem === 2, { what: 'the change' });
    expect(Object.isFrozen(reader.prices)).toBe(true);
  });

  it('works on objects that a factory makes, or that are given', async () => {
    class Plain {
      @WatchConfig('prices') readonly prices!: Prices;
      @WatchConfig('limits', { default: { max: 5 } }) readonly limits!: { max: number };
    }
    const given = new Plain();
    const app = await boot({
      providers: [
        { provide: 'made', useFactory: async () => new Plain() },
        { provide: 'given', useValue: given },
      ],
    });
    const made = app.get<Plain>('made');

    await set('prices', { perItem: 3 });
    for (const { prices, limits } of [made, given]) expect({ prices, limits }).toBeDefined();
    await waitFor(() => made.prices.perItem === 3 && given.prices.perItem === 3, {
      what: 'the change on both',
    });
    expect(made.limits).toEqual({ max: 5 });
  });

  it('reads over the connection that it names', async () => {
    @Injectable()
    class Both {
      @WatchConfig('prices') readonly here!: Prices;
      @WatchConfig('prices', { connection: 'reports' }) readonly there!: Prices;
    }
    const reports = options({ connection: 'reports', namespace: `${namespace}-reports` });
    const other = await boot({}, [reports]);
    const store = other.get<ConfigStore>(getCoordinationToken(ConfigStore, 'reports'));
    await store.set('prices', { perItem: 7 });
    const both = (await boot({ providers: [Both] }, [options(), reports])).get(Both);

    expect([both.here, both.there]).toEqual([{ perItem: 1 }, { perItem: 7 }]);
  });

  it('serves two applications of one process, each from its own store', async () => {
    @Injectable()
    class Reader {
      @WatchConfig('prices') readonly prices!: Prices;
    }
    const [one, two] = [await boot({ providers: [Reader] }), await boot({ providers: [Reader] })];
    const reader = two.get(Reader);
    await one.close();
    await set('prices', { perItem: 2 });
    await waitFor(() => reader.prices.perItem === 2, { what: 'the change' });
    // What was good last can be read even then.
    expect(one.get(Reader).prices).toEqual({ perItem: 1 });
  });
});

describe('a start that cannot have its configuration', () => {
  @Injectable()
  class Reader {
    @WatchConfig('missing') readonly missing!: unknown;
    @WatchConfig('prices', { schema: z.object({ perItem: z.string() }) }) readonly prices!: unknown;
  }

  it('fails with the typed error, naming the configuration and who watches it', async () => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const network = await TcpProxy.start({ target: etcd.endpoint });
    const starting = compile({ providers: [Reader] }, [options({ endpoints: [network.url] })]);

    await expect(starting).rejects.toBeInstanceOf(ConfigMissingError);
    await expect(starting).rejects.toThrow(
      /^The configuration "missing" has no document.*It is watched by Reader\.missing\.$/,
    );
    await expect(starting).rejects.toSatisfy((error: Error) =>
      error.stack!.includes('Reader.missing'),
    );
    // The others are not left for the next attempt.
    expect(errors.mock.calls.map(([line]) => String(line))).toContainEqual(
      expect.stringMatching(
        /^The configuration "prices".*is invalid.*watched by Reader\.prices\.$/,
      ),
    );
    // Nothing is left open.
    await waitFor(() => network.connectionsOpen === 0, { what: 'the connection to end' });
    await network.close();
  });

  it('fails so for objects of factories too, which are known later', async () => {
    vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    class Plain {
      @WatchConfig('prices', { schema: z.object({ perItem: z.string() }) })
      readonly prices!: unknown;
    }
    const starting = boot({ providers: [{ provide: 'made', useFactory: () => new Plain() }] });

    await expect(starting).rejects.toBeInstanceOf(ConfigInvalidError);
    await expect(starting).rejects.toThrow(/It is watched by Plain\.prices\.$/);
  });

  it('refuses two declarations of one configuration, naming both places', async () => {
    @Injectable()
    class One {
      @WatchConfig('prices', { schema: Prices }) readonly prices!: Prices;
    }
    @Injectable()
    class Two {
      @WatchConfig('prices', { schema: Prices, default: { perItem: 0 } }) readonly prices!: Prices;
    }
    const starting = compile({ providers: [One, Two] });

    await expect(starting).rejects.toBeInstanceOf(ConfigDeclarationError);
    await expect(starting).rejects.toThrow(
      'The configuration "prices" is declared by Two.prices with another default than by One.prices;',
    );
  });

  it('names who asks for a connection that there is none of', async () => {
    class Plain {
      @WatchConfig('prices', { connection: 'reports' }) readonly prices!: unknown;
    }
    const starting = boot({ providers: [{ provide: 'made', useFactory: () => new Plain() }] });

    await expect(starting).rejects.toBeInstanceOf(UnknownConnectionError);
    await expect(starting).rejects.toThrow(/^Plain\.prices asks for the etcd connection "reports"/);
  });
});

describe('@WatchConfig on methods', () => {
  it('is told the first value before the application has started, and then each change in order', async () => {
    const told: [unknown, Partial<ConfigChange>][] = [];
    let open: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    @Injectable()
    class Told implements OnApplicationBootstrap {
      toldByThen = 0;
      @WatchConfig('prices', { schema: Prices })
      async onPrices(prices: Prices, { previous, differences, source, revision }: ConfigChange) {
        // A later change must wait although this one takes longer.
        if (prices.perItem === 2) await gate;
        told.push([prices.perItem, { previous, differences, source }]);
        expect(revision).toBeTypeOf('bigint');
      }
      onApplicationBootstrap(): void {
        this.toldByThen = told.length;
      }
    }
    const app = await boot({ providers: [Told] });
    expect(app.get(Told).toldByThen).toBe(1);
    for (const perItem of [2, 3, 4]) await set('prices', { perItem });
    const prices = app.get(ConfigStore).follow<Prices>('prices', { schema: Prices });
    await waitFor(() => prices.value.perItem === 4, { what: 'the last change' });
    expect(told).toHaveLength(1);
    open();
    await waitFor(() => told.length === 4, { what: 'all to be told' });

    expect(told.map(([value]) => value)).toEqual([1, 2, 3, 4]);
    expect(told[0]![1]).toEqual({
      previous: undefined,
      differences: [{ path: [], type: 'added', after: { perItem: 1 } }],
      source: 'etcd',
    });
    expect(told[1]![1]).toEqual({
      previous: { perItem: 1 },
      differences: [{ path: ['perItem'], type: 'changed', before: 1, after: 2 }],
      source: 'etcd',
    });
  });

  it('hurts nobody by throwing', async () => {
    const errors = vi.spyOn(Logger.prototype, 'error').mockImplementation(() => undefined);
    const told: number[] = [];
    @Injectable()
    class Throwing {
      @WatchConfig('prices')
      throws(): void {
        throw new Error('no such luck');
      }
      @WatchConfig('prices')
      async rejects({ perItem }: Prices): Promise<void> {
        told.push(perItem);
        throw new Error('nor here');
      }
    }
    await boot({ providers: [Throwing] });
    await set('prices', { perItem: 2 });
    await waitFor(() => told.length === 2 && errors.mock.calls.length === 4, { what: 'the calls' });

    expect(told).toEqual([1, 2]);
    const lines = errors.mock.calls.map(([line, stack]) => `${String(line)} ${String(stack)}`);
    expect(lines).toContainEqual(
      expect.stringMatching(
        /^Throwing\.throws\(\) failed for the configuration "prices" of revision \d+; .*no such luck/,
      ),
    );
    expect(lines).toContainEqual(expect.stringMatching(/^Throwing\.rejects\(\) .*nor here/));
  });

  it('is told on every transient object, and on an object for each change where it is request-scoped', async () => {
    const told: [string, object, number][] = [];
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @WatchConfig('prices')
      onPrices({ perItem }: Prices): void {
        told.push(['transient', this, perItem]);
      }
    }
    @Injectable()
    class A {
      constructor(readonly transient: Transient) {}
    }
    @Injectable()
    class B {
      constructor(readonly transient: Transient) {}
    }
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      constructor(@Inject(REQUEST) readonly change: ConfigChange<Prices>) {}
      @WatchConfig('prices') readonly prices!: Prices;
      @WatchConfig('prices')
      onPrices({ perItem }: Prices, change: ConfigChange): void {
        expect(this.change).toBe(change);
        expect(this.prices.perItem).toBeGreaterThanOrEqual(perItem);
        told.push(['request', this, perItem]);
      }
    }
    await boot({ providers: [Transient, A, B, PerRequest] });
    await set('prices', { perItem: 2 });
    const ofKind = (kind: string) => told.filter(([of]) => of === kind);
    await waitFor(() => told.length === 6, { what: 'all to be told' });

    expect(new Set(ofKind('transient').map(([, object]) => object)).size).toBe(2);
    expect(ofKind('transient').map(([, , value]) => value)).toEqual([1, 1, 2, 2]);
    expect(new Set(ofKind('request').map(([, object]) => object)).size).toBe(2);
    expect(ofKind('request').map(([, , value]) => value)).toEqual([1, 2]);
  });

  it('follows the rules of overriding, and may stand beside others', async () => {
    const told: string[] = [];
    @Injectable()
    class Base {
      @WatchConfig('prices')
      inherited(): void {
        told.push(`${this.constructor.name} inherited`);
      }
      @WatchConfig('prices')
      overridden(): void {
        told.push(`${this.constructor.name} overridden`);
      }
    }
    @Injectable()
    class Child extends Base {
      override overridden(): void {
        told.push('never');
      }
      @WatchConfig('prices')
      @WatchConfig('limits', { default: 5 })
      both(value: unknown): void {
        told.push(`both ${JSON.stringify(value)}`);
      }
    }
    await boot({ providers: [Child] });

    expect(new Set(told)).toEqual(new Set(['Child inherited', 'both 5', 'both {"perItem":1}']));
    expect(told).toHaveLength(3);
  });

  it('is told nothing any more once the application ends, and what is told is waited for', async () => {
    const told: number[] = [];
    let finish: () => void = () => undefined;
    let settled = false;
    @Injectable()
    class Slow {
      @WatchConfig('prices')
      async onPrices({ perItem }: Prices): Promise<void> {
        told.push(perItem);
        if (perItem !== 2) return;
        await new Promise<void>((resolve) => (finish = resolve));
        settled = true;
      }
    }
    const app = await boot({ providers: [Slow] });
    await set('prices', { perItem: 2 });
    await waitFor(() => told.length === 2, { what: 'the change' });
    await set('prices', { perItem: 3 });
    const config = await app.get(ConfigStore).watch<Prices>('prices');
    await waitFor(() => config.value.perItem === 3, { what: 'the next value' });
    const stop = vi.spyOn(app.get(ConfigParticipation, { strict: false }), 'stop');
    const closing = app.close();
    await waitFor(() => stop.mock.calls.length > 0, { what: 'the shutdown to begin' });
    finish();
    await closing;

    expect(settled).toBe(true);
    expect(told).toEqual([1, 2]);
  });
});

describe('the end of an application with configurations', () => {
  it('leaves its releases first and closes its stores before the lease goes', async () => {
    const app = await boot({});
    const [connection] = app.get(ConnectionRegistry, { strict: false }).all;
    const { session, config } = connection!.parts;
    const order: string[] = [];
    const note = <T extends object>(what: string, of: T, method: keyof T & string) => {
      const run = of[method] as (...args: unknown[]) => Promise<void>;
      vi.spyOn(of, method as never).mockImplementation((async (...args: unknown[]) => {
        order.push(what);
        await run.apply(of, args);
      }) as never);
    };
    note('elections', connection!.parts.elections, 'withdraw');
    note('releases', config.releases, 'leave');
    note('store', config.store, 'close');
    note('session', session, 'close');
    await app.close();

    expect(order).toEqual(['releases', 'elections', 'store', 'session']);
  });
});
