import { Global, Injectable, Logger, Module, type OnModuleInit } from '@nestjs/common';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { TcpProxy } from '../../../../test/support/tcp-proxy.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import {
  ConfigDeclarationError,
  ConfigInvalidError,
  ConfigMissingError,
} from '../config/config.errors.js';
import { EtcdClient } from '../client/etcd-client.js';
import { ConfigStore } from '../config/config.store.js';
import { ConfigReleases } from '../config/release/config-releases.service.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import { WatchService } from '../watch/watch.service.js';
import { ConnectionRegistry } from './connection-registry.js';
import { UnknownConnectionError } from './coordination.errors.js';
import { getCoordinationToken } from './coordination.tokens.js';
import { Prices, useConfigApps } from '../../../../test/support/config-app-stage.js';

const stage = useConfigApps();
const { boot, compile, options, set } = stage;

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
    await app.get(EtcdClient).etcd.put(`${stage.namespace}/x`).value('1').exec();
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
    const store = stage.writer.get(ConfigStore);
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
    const reports = options({ connection: 'reports', namespace: `${stage.namespace}-reports` });
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
    const network = await TcpProxy.start({ target: stage.etcd.endpoint });
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
