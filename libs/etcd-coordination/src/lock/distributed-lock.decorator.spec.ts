import 'reflect-metadata';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type DynamicModule,
  Injectable,
  Logger,
  Module,
  Scope,
  StreamableFile,
  type Type,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { concat, defer, from, lastValueFrom, NEVER, Observable, of, toArray } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FakeLocks } from '../../../../test/support/fake-locks.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { currentFence } from '../context/ownership-context.js';
import { CoordinationModuleMissingError } from '../nest/coordination-module-missing.error.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { InvalidKeyArgumentError } from '../nest/invalid-key-argument.error.js';
import { currentLock } from './current-lock.js';
import { DistributedLock, type DistributedLockOptions } from './distributed-lock.decorator.js';
import { LOCK_GATES, LockGate } from './lock-gate.js';
import {
  InvalidLockOptionError,
  LockBusyError,
  LockLostError,
  LockShutdownError,
} from './lock.errors.js';

const apps: TestingModule[] = [];
let locks: FakeLocks;

beforeEach(() => {
  locks = new FakeLocks();
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

/** What the module provides of it, for one connection. */
function gateModule(of: FakeLocks, connection = 'default'): DynamicModule {
  const provide = LOCK_GATES.token(connection);
  class GateModule {}
  Module({})(GateModule);
  return {
    module: GateModule,
    global: true,
    providers: [{ provide, useValue: new LockGate(of) }],
    exports: [provide],
  };
}

async function boot(
  providers: Type<object>[],
  imports: DynamicModule[] = [gateModule(locks)],
): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports, providers }).compile();
  apps.push(app);
  await app.init();
  return app;
}

@Injectable()
class Shop {
  readonly runs: string[] = [];

  @DistributedLock('order/{orderId}')
  async ship(orderId: string, ms = 5): Promise<string> {
    this.runs.push(`+${orderId}`);
    await sleep(ms);
    this.runs.push(`-${orderId}`);
    return `${currentLock()?.key} ${currentFence()?.token}`;
  }

  @DistributedLock('stock', { onBusy: 'throw' })
  async count(): Promise<number> {
    return 7;
  }

  @DistributedLock('stock', { onBusy: 'skip' })
  async tidy(): Promise<void> {
    this.runs.push('tidy');
  }

  @DistributedLock('stock', { onBusy: 'skip' })
  tidyNow(): void {
    this.runs.push('tidy now');
  }

  @DistributedLock('stock', { onBusy: 'throw' })
  note(what: string): void {
    this.runs.push(what);
  }

  shipItself(): Promise<string> {
    return this.ship('self');
  }
}

const shop = async () => (await boot([Shop])).get(Shop);

describe('@DistributedLock', () => {
  it('runs calls of one key one after the other, those of others beside them', async () => {
    const { ship, runs } = await shop().then((it) => ({ ship: it.ship.bind(it), runs: it.runs }));

    const answers = await Promise.all([ship('a', 10), ship('a', 1), ship('b', 500)]);

    expect(answers).toEqual(['order/a 1', 'order/a 3', 'order/b 2']);
    expect(runs).toEqual(['+a', '+b', '-a', '+a', '-a', '-b']);
    expect(locks.held.size).toBe(0);
    expect(currentLock()).toBeNull();
  });

  it('locks calls of a method by its own object', async () => {
    await expect((await shop()).shipItself()).resolves.toBe('order/self 1');
  });

  it('waits without an end unless it is told otherwise', async () => {
    const it = await shop();
    const grant = locks.take('order/a');
    const shipping = it.ship('a');
    await waitFor(() => locks.waiting('order/a') === 1, { what: 'the call to wait' });
    expect(it.runs).toEqual([]);
    await grant.release();

    await expect(shipping).resolves.toBe('order/a 2');
    expect(locks.asked).toEqual([['order/a', {}]]);
  });

  it('throws when it is busy, if so asked', async () => {
    const it = await shop();
    await expect(it.count()).resolves.toBe(7);
    locks.take('stock');

    await expect(it.count()).rejects.toMatchObject({
      code: 'LOCK_BUSY',
      key: 'stock',
      statusCode: 423,
    });
  });

  it('skips when it is busy, if so asked', async () => {
    const it = await shop();
    await it.tidy();
    await (it.tidyNow() as unknown as Promise<void>);
    expect(it.runs).toEqual(['tidy', 'tidy now']);
    locks.take('stock');

    await expect(it.tidy()).resolves.toBeUndefined();
    await expect(it.tidyNow()).resolves.toBeUndefined();
    expect(it.runs).toEqual(['tidy', 'tidy now']);
  });

  it('skips, too, what a shutdown refuses, and nothing else', async () => {
    const it = await shop();
    const using = vi.spyOn(locks, 'using');
    using.mockRejectedValueOnce(new LockShutdownError('stock'));
    await expect(it.tidy()).resolves.toBeUndefined();
    using.mockRejectedValueOnce(new Error('etcd is away'));
    await expect(it.tidy()).rejects.toThrow('etcd is away');
    expect(it.runs).toEqual([]);
  });

  it('skips only what was busy before it began', async () => {
    @Injectable()
    class Nested {
      @DistributedLock('outer', { onBusy: 'skip' })
      async outer(): Promise<void> {
        await this.inner();
      }
      @DistributedLock('inner', { onBusy: 'throw' })
      async inner(): Promise<void> {}
    }
    const nested = (await boot([Nested])).get(Nested);
    locks.take('inner');

    await expect(nested.outer()).rejects.toThrow(LockBusyError);
  });

  it('hands its options to the locks', async () => {
    @Injectable()
    class Optional {
      @DistributedLock('a', {
        waitMs: 5,
        holdAtLeastMs: 10,
        keep: true,
        queue: 'etcd',
        reentrant: true,
      })
      async wait(): Promise<void> {}
      @DistributedLock('b', { onBusy: 'skip', waitMs: 3 })
      async skip(): Promise<void> {}
      @DistributedLock('c', { onBusy: 'throw' })
      async fail(): Promise<void> {}
    }
    const optional = (await boot([Optional])).get(Optional);
    await optional.wait();
    await optional.skip();
    await optional.fail();

    expect(locks.asked).toEqual([
      ['a', { waitMs: 5, holdAtLeastMs: 10, keep: true, queue: 'etcd', reentrant: true }],
      ['b', { waitMs: 3 }],
      ['c', { waitMs: 0 }],
    ]);
  });

  it('refuses a call whose argument makes no key, before anything is asked', async () => {
    const it = await shop();

    await expect(it.ship(undefined as never)).rejects.toThrow(InvalidKeyArgumentError);
    await expect(it.ship({} as never)).rejects.toThrow(
      'The key "order/{orderId}" of Shop.ship() cannot be built: the argument "orderId" of the call is an object.',
    );
    expect(locks.asked).toEqual([]);
  });

  it('says that the lock was lost, when the work has ended', async () => {
    const it = await shop();
    const shipping = it.ship('a', 200);
    await waitFor(() => it.runs.length === 1, { what: 'the work to begin' });
    locks.held.get('order/a')!.lose();

    await expect(shipping).rejects.toThrow(LockLostError);
    expect(it.runs).toEqual(['+a', '-a']);
  });

  it('keeps name, length and metadata, those of decorators above and below', () => {
    const Note =
      (key: string): MethodDecorator =>
      (_target, _name, descriptor) =>
        Reflect.defineMetadata(key, `value of ${key}`, descriptor.value as object);

    class Noted {
      @Note('above')
      @DistributedLock('jobs')
      @Note('below')
      async method(_a: string, _b: string): Promise<void> {}
    }

    const { method } = Noted.prototype;
    expect(method.name).toBe('method');
    expect(method.length).toBe(2);
    expect(Reflect.getMetadata('above', method)).toBe('value of above');
    expect(Reflect.getMetadata('below', method)).toBe('value of below');
  });

  it('takes both locks where two are named, and reads names through itself', async () => {
    @Injectable()
    class Both {
      @DistributedLock('from/{from}')
      @DistributedLock('to/{to}')
      async move(from: string, to: string): Promise<string[]> {
        await sleep(from === to ? 0 : 1);
        return [...locks.held.keys()];
      }
    }
    const both = (await boot([Both])).get(Both);

    await expect(both.move('a', 'b')).resolves.toEqual(['from/a', 'to/b']);
  });

  it('uses the connection that it names', async () => {
    const named = new FakeLocks();
    @Injectable()
    class Reporter {
      @DistributedLock('here')
      async here(): Promise<void> {}
      @DistributedLock('there', { connection: 'reports' })
      async there(): Promise<void> {}
    }
    const app = await boot([Reporter], [gateModule(locks), gateModule(named, 'reports')]);
    await app.get(Reporter).here();
    await app.get(Reporter).there();

    expect([locks, named].map(({ asked }) => asked.map(([key]) => key))).toEqual([
      ['here'],
      ['there'],
    ]);
  });
});

/** Not a class: nothing is told of it in metadata. */
type Told = Observable<string> & object;

describe('@DistributedLock on a method that gives many values', () => {
  @Injectable()
  class Streams {
    readonly began: string[] = [];

    @DistributedLock('rows/{table}')
    rows(table: string): Observable<string> {
      this.began.push(table);
      return concat(
        of(`${table} 1`),
        defer(() => of(`${table} ${currentLock()?.token}`)),
      );
    }

    @DistributedLock('rows/{table}', { onBusy: 'throw' })
    rowsOrNot(table: string): Observable<string> {
      return concat(of(table), NEVER);
    }

    @DistributedLock('rows/{table}')
    async *iterate(table: string): AsyncGenerator<string> {
      this.began.push(table);
      yield `${table} ${currentLock()?.token}`;
      await sleep(1);
      yield `${table} ${currentLock()?.token}`;
    }

    @DistributedLock('rows/{table}')
    iterable(table: string): AsyncIterable<string> {
      return this.iterateFreely(table);
    }

    @DistributedLock('rows/{table}')
    async later(table: string): Promise<AsyncIterable<string>> {
      return this.iterateFreely(table);
    }

    // As when its class was imported as a type: nothing tells of it.
    @DistributedLock('rows/{table}')
    untold(table: string): Told {
      return defer(() => of(`${table} ${currentLock()?.token}`));
    }

    private async *iterateFreely(table: string) {
      yield `${table} ${currentLock()?.token}`;
    }
  }
  const streams = async () => (await boot([Streams])).get(Streams);

  async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
    const seen: T[] = [];
    for await (const value of values) seen.push(value);
    return seen;
  }

  it('locks an Observable for each subscription, not for the call', async () => {
    const it = await streams();
    const rows = it.rows('a');
    await settle();
    expect(it.began).toEqual([]);
    expect(locks.asked).toEqual([]);

    const both = await Promise.all([1, 2].map(() => lastValueFrom(rows.pipe(toArray()))));
    expect(both).toEqual([
      ['a 1', 'a 1'],
      ['a 1', 'a 2'],
    ]);
    expect(it.began).toEqual(['a', 'a']);
    expect(locks.held.size).toBe(0);
  });

  it('gives up waiting when an Observable is unsubscribed from', async () => {
    const it = await streams();
    const grant = locks.take('rows/a');
    const subscription = it.rows('a').subscribe();
    await waitFor(() => locks.waiting('rows/a') === 1, { what: 'the subscription to wait' });
    subscription.unsubscribe();
    expect(locks.waiting('rows/a')).toBe(0);
    await grant.release();
    expect(it.began).toEqual([]);
  });

  it('lets the lock go that it got as it was unsubscribed from', async () => {
    const it = await streams();
    const subscription = it.rowsOrNot('a').subscribe();
    await Promise.resolve();
    await Promise.resolve();
    subscription.unsubscribe();
    await waitFor(() => locks.asked.length === 1 && !locks.held.has('rows/a'), {
      what: 'the lock to be free',
    });
  });

  it('releases an Observable that is left, and gives its errors to who subscribed', async () => {
    const it = await streams();
    const subscription = it.rowsOrNot('a').subscribe();
    await waitFor(() => locks.held.has('rows/a'), { what: 'the lock' });
    await expect(lastValueFrom(it.rowsOrNot('a'))).rejects.toThrow(LockBusyError);
    await expect(lastValueFrom(it.rowsOrNot(null as never))).rejects.toThrow(
      InvalidKeyArgumentError,
    );
    subscription.unsubscribe();
    await waitFor(() => !locks.held.has('rows/a'), { what: 'the lock to be free' });
  });

  it('locks an async generator when it is first asked for a value, and until it ends', async () => {
    const it = await streams();
    const values = it.iterate('a');
    await settle();
    expect(locks.asked).toEqual([]);

    await expect(values.next()).resolves.toEqual({ done: false, value: 'a 1' });
    expect(locks.held.has('rows/a')).toBe(true);
    await expect(all(values)).resolves.toEqual(['a 1']);
    expect(locks.held.size).toBe(0);
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
  });

  it('releases an async generator that is left early', async () => {
    const it = await streams();
    for await (const _ of it.iterate('a')) break;
    expect(locks.held.size).toBe(0);
  });

  it('gives up waiting when an async generator is left', async () => {
    const it = await streams();
    const grant = locks.take('rows/a');
    const values = it.iterate('a');
    const first = values.next();
    await waitFor(() => locks.waiting('rows/a') === 1, { what: 'the generator to wait' });
    await expect(values.return('x')).resolves.toEqual({ done: true, value: 'x' });
    await expect(first).resolves.toEqual({ done: true, value: undefined });
    expect(locks.waiting('rows/a')).toBe(0);
    await grant.release();
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
    expect(it.began).toEqual([]);
  });

  it('takes no lock for an async generator that is left before it began', async () => {
    const it = await streams();
    const values = it.iterate('a');
    await values.return(undefined);
    await expect(values.next()).resolves.toEqual({ done: true, value: undefined });
    await expect(it.iterate('a').throw(new Error('mine'))).rejects.toThrow('mine');
    expect(locks.asked).toEqual([]);
  });

  it('gives an Observable of which no type tells before the call', async () => {
    const it = await streams();

    await expect(lastValueFrom(it.untold('a'))).resolves.toBe('a 1');
    await expect(lastValueFrom(it.untold('a').pipe(toArray()))).resolves.toEqual(['a 2']);
    await expect(lastValueFrom(from(it.untold('a')))).resolves.toBe('a 3');
    await expect(Promise.resolve(it.untold('a'))).resolves.toBeInstanceOf(Observable);
  });

  it('iterates over what was declared as an async iterable, or is promised', async () => {
    const it = await streams();

    await expect(all(it.iterable('a'))).resolves.toEqual(['a 1']);
    await expect(all(await it.later('a'))).resolves.toEqual(['a 2']);
    expect(locks.held.size).toBe(0);
  });
});

describe('@DistributedLock on a method that returns nothing', () => {
  it('rejects to who waits, and logs to who cannot know', async () => {
    const error = vi.spyOn(Logger.prototype, 'error').mockReturnValue();
    const unhandled = vi.fn<(reason: unknown) => void>();
    process.on('unhandledRejection', unhandled);
    const it = await shop();
    const grant = locks.take('stock');

    // As Nest's router and scheduler do.
    await expect((async () => it.note('a'))()).rejects.toThrow(LockBusyError);
    const returned = it.note('a') as unknown as Promise<void>;
    await expect(returned).rejects.toThrow(LockBusyError);
    expect(returned).toBeInstanceOf(Promise);
    expect(error).not.toHaveBeenCalled();
    it.note('b');
    await waitFor(() => error.mock.calls.length > 0, { what: 'the error to be logged' });
    await settle();

    expect(error).toHaveBeenCalledExactlyOnceWith(
      expect.stringMatching(
        /^A call of Shop\.note\(\) failed.*LockBusyError: The lock "stock" is held/,
      ),
    );
    expect(unhandled).not.toHaveBeenCalled();
    process.off('unhandledRejection', unhandled);
    await grant.release();
    await (it.note('c') as unknown as Promise<void>);
    expect(it.runs).toEqual(['c']);
  });
});

describe('@DistributedLock by scope and inheritance', () => {
  it.each([Scope.DEFAULT, Scope.TRANSIENT, Scope.REQUEST])('works in scope %s', async (scope) => {
    @Injectable({ scope })
    class Scoped {
      @DistributedLock('a')
      async run(): Promise<string | undefined> {
        return currentLock()?.key;
      }
    }
    const app = await boot([Scoped]);
    const scoped = scope === Scope.DEFAULT ? app.get(Scoped) : await app.resolve(Scoped);

    await expect(scoped.run()).resolves.toBe('a');
  });

  abstract class Base {
    @DistributedLock('base/{id}')
    async run(_id: string, id: string): Promise<string[]> {
      return [id, ...locks.held.keys()];
    }
  }
  @Injectable()
  class Overriding extends Base {
    override async run(id: string): Promise<string[]> {
      return [id, ...locks.held.keys()];
    }
    base(): Promise<string[]> {
      return super.run('x', 'y');
    }
  }
  @Injectable()
  class Redecorating extends Base {
    @DistributedLock('own/{other}')
    override async run(id: string, other: string): Promise<string[]> {
      return super.run(id, other);
    }
  }
  @Injectable()
  class Inheriting extends Base {}

  it('is inherited, and overridden', async () => {
    const app = await boot([Inheriting, Overriding, Redecorating]);

    await expect(app.get(Inheriting).run('a', 'b')).resolves.toEqual(['b', 'base/b']);
    await expect(app.get(Overriding).run('a')).resolves.toEqual(['a']);
    await expect(app.get(Overriding).base()).resolves.toEqual(['y', 'base/y']);
    await expect(app.get(Redecorating).run('a', 'b')).resolves.toEqual(['b', 'own/b', 'base/b']);
  });

  it('keeps two applications of one process apart', async () => {
    const other = new FakeLocks();
    const first = (await boot([Shop])).get(Shop);
    const second = (await boot([Shop], [gateModule(other)])).get(Shop);
    locks.take('stock');

    await expect(first.count()).rejects.toThrow(LockBusyError);
    await expect(second.count()).resolves.toBe(7);
  });

  it('works on what is created by ModuleRef', async () => {
    const created = await (await boot([])).get(ModuleRef).create(Shop);

    await expect(created.count()).resolves.toBe(7);
  });
});

describe('@DistributedLock where it cannot work', () => {
  it('fails the start without the module, and says what to import', async () => {
    await expect(Test.createTestingModule({ providers: [Shop] }).compile()).rejects.toThrow(
      /LockGate.*import EtcdCoordinationModule\.forRoot\(\.\.\.\) in your root module/,
    );
  });

  it('refuses the call on an object that Nest did not build, and of a detached method', async () => {
    await expect(new Shop().ship('a')).rejects.toThrow(CoordinationModuleMissingError);
    await expect(new Shop().ship('a')).rejects.toThrow(
      /Shop\.ship\(\) is gated by @DistributedLock.*so nobody can take the lock.*import EtcdCoordinationModule/,
    );
    const { count } = await shop();
    await expect(count.call(undefined as never)).rejects.toThrow(CoordinationModuleMissingError);
  });

  function define(key: unknown, options?: unknown) {
    return () => {
      class Wrong {
        @DistributedLock(key as string, options as DistributedLockOptions & { onBusy: 'skip' })
        async run(_id: string): Promise<void> {}
      }
      return Wrong;
    };
  }

  it.each([
    ['', 'its key "" is no name: it is empty'],
    [42, 'its key is neither a string nor a function'],
    ['{order}', 'its key "{order}" asks for {order}, but has no such parameter, only _id'],
  ])('refuses the key %j while the class is defined', (key, fault) => {
    expect(define(key)).toThrow(InvalidDecoratorUseError);
    expect(define(key)).toThrow(`@DistributedLock on Wrong.run cannot work: ${fault}`);
  });

  it.each([
    [null, 'its options are not an object'],
    [{ onbusy: 'skip' }, 'it has no option "onbusy", only "onBusy", "waitMs"'],
    [{ signal: AbortSignal.abort() }, 'it has no option "signal"'],
    [{ onBusy: 'fail' }, `its option "onBusy" is neither 'wait' nor 'throw' nor 'skip'`],
    [{ connection: '' }, 'its option "connection" is no name'],
  ])('refuses the options %j while the class is defined', (options, fault) => {
    expect(define('a', options)).toThrow(InvalidDecoratorUseError);
    expect(define('a', options)).toThrow(fault);
  });

  it.each([{ waitMs: -1 }, { waitMs: NaN }, { holdAtLeastMs: '1' }, { keep: 1 }, { queue: 'x' }])(
    'refuses the options %j as those of any lock',
    (options) => {
      const [name] = Object.keys(options);
      expect(define('a', options)).toThrow(InvalidLockOptionError);
      expect(define('a', options)).toThrow(`The option ${name} of the lock "Wrong.run" is`);
    },
  );

  it('refuses a static method and a property', () => {
    expect(() => {
      class Static {
        @DistributedLock('jobs')
        static async run(): Promise<void> {}
      }
      return Static;
    }).toThrow(/the static Static\.run cannot work: Nest injects nothing/);
    expect(() => {
      class Accessor {
        // @ts-expect-error an accessor is no method
        @DistributedLock('jobs')
        get run(): number {
          return 1;
        }
      }
      return Accessor;
    }).toThrow(/@DistributedLock on Accessor\.run cannot work: it is not a method/);
  });

  it.each([
    ['a string', String],
    ['an array', Array],
    ['a stream', Readable],
    ['a file', StreamableFile],
    ['a class of one', Shop],
  ])('refuses a method that returns %s at once', (_, type) => {
    const descriptor = { value: () => undefined };
    const prototype = { constructor: class Wrong {} };
    Reflect.defineMetadata('design:returntype', type, prototype, 'run');
    const decorate = DistributedLock('a') as MethodDecorator;

    expect(() => decorate(prototype, 'run', descriptor)).toThrow(
      `it returns ${type.name} at once, and the lock has to be waited for: make it async`,
    );
  });

  it('refuses a generator that cannot wait, and to skip one that gives values', () => {
    expect(() => {
      class Wrong {
        // @ts-expect-error it is not async
        @DistributedLock('a')
        *run(): Generator<number> {
          yield 1;
        }
      }
      return Wrong;
    }).toThrow(/it is a generator that cannot wait: make it async/);
    expect(() => {
      class Wrong {
        // @ts-expect-error it gives values
        @DistributedLock('a', { onBusy: 'skip' })
        async *run(): AsyncGenerator<number> {
          yield 1;
        }
      }
      return Wrong;
    }).toThrow(/it returns values, which a call that is skipped/);
  });
});
