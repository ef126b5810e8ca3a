import { inspect } from 'node:util';
import { runInThisContext } from 'node:vm';
import {
  type CallHandler,
  type CanActivate,
  Controller,
  type DynamicModule,
  type ExecutionContext,
  forwardRef,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  Module,
  type NestInterceptor,
  type OnModuleInit,
  Scope,
  type Type,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import {
  type ContextId,
  ContextIdFactory,
  type ContextIdStrategy,
  type HostComponentInfo,
  ModuleRef,
} from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { map } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FakeConfigStore } from '../../../../test/support/fake-config-store.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { ConfigNotReadyError } from './config.errors.js';
import { WatchConfig } from './watch-config.decorator.js';
import { ConfigReadOnlyError } from './watch-config.errors.js';
import { loadedConfigToken, watchedPropertiesOf } from './watched-member.js';

interface Prices {
  readonly perItem: number;
}

const apps: { close(): Promise<void> }[] = [];
let store: FakeConfigStore;

beforeEach(() => {
  store = new FakeConfigStore();
  store.set('prices', { perItem: 1 });
});
afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** What the module provides, for one connection. */
function storeModule(of: FakeConfigStore, connection = 'default'): DynamicModule {
  class StoreModule {}
  Module({})(StoreModule);
  const provide = loadedConfigToken(connection);
  return {
    module: StoreModule,
    global: true,
    providers: [{ provide, useValue: of.asStore }],
    exports: [provide],
  };
}

async function boot(
  providers: Type<unknown>[],
  imports = [storeModule(store)],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports, providers }).compile();
  apps.push(app);
  await app.init();
  return app;
}

async function serve(controller: Type<unknown>, providers: Type<unknown>[] = []) {
  const module = await Test.createTestingModule({
    imports: [storeModule(store)],
    controllers: [controller],
    providers,
  }).compile();
  const app: INestApplication = module.createNestApplication({ logger: false });
  apps.push(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  return async (headers: Record<string, string> = {}): Promise<unknown> => {
    const answer = await fetch(url, { headers });
    return answer.json();
  };
}

describe('a property with @WatchConfig', () => {
  @Injectable()
  class Pricing implements OnModuleInit {
    @WatchConfig('prices') readonly prices!: Prices;
    seenAtInit: unknown;

    onModuleInit(): void {
      this.seenAtInit = this.prices;
    }
  }

  it('shows the value, from onModuleInit on, and each next one', async () => {
    const pricing = (await boot([Pricing])).get(Pricing);
    expect(pricing.seenAtInit).toEqual({ perItem: 1 });
    expect(pricing.prices).toBe(store.follow('prices').value);

    store.set('prices', { perItem: 2 });
    expect(pricing.prices).toEqual({ perItem: 2 });
  });

  it('says that it is not loaded yet rather than showing nothing', async () => {
    @Injectable()
    class Early {
      @WatchConfig('other') readonly other!: unknown;
    }
    const early = (await boot([Early])).get(Early);
    expect(() => early.other).toThrow(ConfigNotReadyError);
  });

  it('cannot be assigned, and says what to do instead', async () => {
    const pricing = (await boot([Pricing])).get(Pricing);
    const assign = () => Object.assign(pricing, { prices: { perItem: 0 } });
    expect(assign).toThrow(ConfigReadOnlyError);
    expect(assign).toThrow(
      'Pricing.prices cannot be assigned: @WatchConfig keeps it at the value of the configuration "prices".',
    );
    expect(pricing.prices).toEqual({ perItem: 1 });
  });

  it('is seen by whoever looks at the object', async () => {
    const pricing = (await boot([Pricing])).get(Pricing);
    expect(JSON.parse(JSON.stringify(pricing))).toEqual({
      prices: { perItem: 1 },
      seenAtInit: { perItem: 1 },
    });
    expect(Object.assign({}, pricing).prices).toEqual({ perItem: 1 });
    expect(inspect(pricing, { getters: true })).toContain('perItem: 1');
    expect(inspect(pricing)).not.toContain('ConfigStore');
    // The values only: nothing of how they come about.
    expect(new Set(Reflect.ownKeys(pricing))).toEqual(new Set(['prices', 'seenAtInit']));
  });

  it('works where a class field stands on the object itself', async () => {
    // What a compiler makes of `prices!: Prices` with useDefineForClassFields.
    const Defined = runInThisContext('class Defined { prices; other; } Defined') as Type<{
      prices: Prices;
      other: unknown;
    }>;
    WatchConfig('prices')(Defined.prototype, 'prices');
    const object = (await boot([Defined])).get(Defined);
    store.set('prices', { perItem: 3 });

    expect(Object.hasOwn(new Defined(), 'prices')).toBe(true);
    expect(object.prices).toEqual({ perItem: 3 });
  });

  it('may stand beside others, under any name', async () => {
    const symbol = Symbol('limits');
    @Injectable()
    class Several {
      @WatchConfig('prices') readonly prices!: Prices;
      @WatchConfig('prices') private readonly again!: Prices;
      @WatchConfig('limits') readonly [symbol]!: { max: number };
      same(): boolean {
        return this.prices === this.again;
      }
    }
    store.set('limits', { max: 5 });
    const several = (await boot([Several])).get(Several);

    expect(several.same()).toBe(true);
    expect(several[symbol]).toEqual({ max: 5 });
  });

  it('is inherited, and a subclass may put something of its own in its place', async () => {
    @Injectable()
    class Child extends Pricing {
      @WatchConfig('limits') readonly limits!: unknown;
    }
    @Injectable()
    class Otherwise extends Pricing {
      @WatchConfig('limits') declare readonly prices: Prices;
    }
    @Injectable()
    class Computed extends Pricing {}
    Object.defineProperty(Computed.prototype, 'prices', {
      get: () => 'computed',
      configurable: true,
    });
    store.set('limits', { perItem: 9 });
    const app = await boot([Pricing, Child, Otherwise, Computed]);

    expect(app.get(Pricing).prices).toEqual({ perItem: 1 });
    expect(app.get(Child).prices).toEqual({ perItem: 1 });
    expect(app.get(Child).limits).toEqual({ perItem: 9 });
    expect(app.get(Otherwise).prices).toEqual({ perItem: 9 });
    expect(app.get(Computed).prices).toBe('computed');
    expect([...watchedPropertiesOf(Pricing.prototype).keys()]).toEqual(['prices']);
    expect([...watchedPropertiesOf(Child.prototype).keys()]).toEqual(['limits', 'prices']);
    expect(watchedPropertiesOf(Otherwise.prototype).get('prices')?.declaration.key).toBe('limits');
    expect(watchedPropertiesOf(Computed.prototype).size).toBe(0);
  });

  it('works on both ends of a circle', async () => {
    @Injectable()
    class Left {
      @WatchConfig('prices') readonly prices!: Prices;
      constructor(@Inject(forwardRef(() => Right)) readonly other: { prices: Prices }) {}
    }
    @Injectable()
    class Right {
      @WatchConfig('prices') readonly prices!: Prices;
      constructor(@Inject(forwardRef(() => Left)) readonly other: Left) {}
    }
    const app = await boot([Left, Right]);

    expect(app.get(Left).prices).toEqual({ perItem: 1 });
    expect(app.get(Left).other.prices).toEqual({ perItem: 1 });
    expect(app.get(Right).other.prices).toEqual({ perItem: 1 });
  });

  it('works on transient and request-scoped objects, each of them', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      @WatchConfig('prices') readonly prices!: Prices;
    }
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      @WatchConfig('prices') readonly prices!: Prices;
    }
    @Injectable()
    class Host {
      constructor(readonly transient: Transient) {}
    }
    const app = await boot([Transient, PerRequest, Host]);
    const resolved = await app.resolve(Transient);
    const [one, two] = [await app.resolve(PerRequest), await app.resolve(PerRequest)];
    store.set('prices', { perItem: 4 });

    expect(one).not.toBe(two);
    for (const { prices } of [app.get(Host).transient, resolved, one, two]) {
      expect(prices).toEqual({ perItem: 4 });
    }
  });

  it('works on durable objects', async () => {
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class PerTenant {
      @WatchConfig('prices') readonly prices!: Prices;
    }
    const trees = new Map<string, ContextId>();
    const byTenant: ContextIdStrategy<{ headers: Record<string, string> }> = {
      attach(contextId, request) {
        const tenant = request.headers['x-tenant'] ?? '';
        const tree = trees.get(tenant) ?? ContextIdFactory.create();
        trees.set(tenant, tree);
        return (info: HostComponentInfo) => (info.isTreeDurable ? tree : contextId);
      },
    };
    ContextIdFactory.apply(byTenant);
    onTestFinished(() => ContextIdFactory.apply({ attach: (contextId) => () => contextId }));
    @Controller()
    class TenantController {
      constructor(readonly tenant: PerTenant) {}
      @Get() get() {
        return this.tenant.prices;
      }
    }
    const ask = await serve(TenantController, [PerTenant]);

    expect(await ask({ 'x-tenant': 'a' })).toEqual({ perItem: 1 });
    store.set('prices', { perItem: 5 });
    expect(await ask({ 'x-tenant': 'a' })).toEqual({ perItem: 5 });
    expect(await ask({ 'x-tenant': 'b' })).toEqual({ perItem: 5 });
  });

  it.each([Scope.DEFAULT, Scope.REQUEST])(
    'works on controllers, guards and interceptors, in scope %s',
    async (scope) => {
      @Injectable({ scope })
      class Gate implements CanActivate {
        @WatchConfig('open') private readonly open!: boolean;
        canActivate(_context: ExecutionContext): boolean {
          return this.open;
        }
      }
      @Injectable({ scope })
      class Wrapping implements NestInterceptor {
        @WatchConfig('wrapper') private readonly wrapper!: string;
        intercept(_context: ExecutionContext, next: CallHandler) {
          return next.handle().pipe(map((answer: unknown) => ({ [this.wrapper]: answer })));
        }
      }
      @Controller({ path: '', scope })
      @UseGuards(Gate)
      @UseInterceptors(Wrapping)
      class PricesController {
        @WatchConfig('prices') private readonly prices!: Prices;
        @Get() get() {
          return this.prices;
        }
      }
      store.set('open', true);
      store.set('wrapper', 'a');
      const ask = await serve(PricesController);
      expect(await ask()).toEqual({ a: { perItem: 1 } });

      store.set('prices', { perItem: 6 });
      store.set('wrapper', 'b');
      expect(await ask()).toEqual({ b: { perItem: 6 } });
      store.set('open', false);
      expect(await ask()).toMatchObject({ statusCode: 403 });
    },
  );

  it('works on what a ModuleRef makes later', async () => {
    class Later {
      @WatchConfig('prices') readonly prices!: Prices;
    }
    const app = await boot([]);
    expect((await app.get(ModuleRef).create(Later)).prices).toEqual({ perItem: 1 });
  });

  it('keeps applications apart, and connections', async () => {
    @Injectable()
    class Both {
      @WatchConfig('prices') readonly prices!: Prices;
      @WatchConfig('prices', { connection: 'reports' }) readonly reported!: Prices;
    }
    const make = async (here: number, there: number) => {
      const [one, two] = [new FakeConfigStore(), new FakeConfigStore()];
      one.set('prices', { perItem: here });
      two.set('prices', { perItem: there });
      const app = await boot([Both], [storeModule(one), storeModule(two, 'reports')]);
      return app.get(Both);
    };
    const [a, b] = [await make(1, 2), await make(3, 4)];

    expect([a.prices, a.reported, b.prices, b.reported].map((p) => p.perItem)).toEqual([
      1, 2, 3, 4,
    ]);
  });

  it('leaves objects alone that nobody injects into, for tests of the class', () => {
    const pricing = new Pricing();
    Object.assign(pricing, { prices: { perItem: 7 } });
    expect(pricing.prices).toEqual({ perItem: 7 });
  });

  it('fails the start where the module is missing, naming what to import', async () => {
    await expect(boot([Pricing], [])).rejects.toThrow(
      /ConfigStore for @WatchConfig \(import EtcdCoordinationModule\.forRoot\(\.\.\.\) in your root module\)/,
    );
  });

  it('fails the start where the property has a value of its own', async () => {
    @Injectable()
    class Initialised {
      @WatchConfig('prices') readonly prices: Prices = { perItem: 0 };
    }
    const starting = boot([Initialised]);
    await expect(starting).rejects.toThrow(InvalidDecoratorUseError);
    await expect(starting).rejects.toThrow(
      /@WatchConfig on Initialised\.prices cannot work: it has a value of its own; .*"default"/,
    );
  });

  it('fails the start where the object is sealed', async () => {
    @Injectable()
    class Sealed {
      @WatchConfig('prices') readonly prices!: Prices;
      constructor() {
        Object.preventExtensions(this);
      }
    }
    await expect(boot([Sealed])).rejects.toThrow(/Sealed\.prices cannot work: .*frozen or sealed/);
  });
});
