import 'reflect-metadata';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable, Logger, Scope } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { describe, expect, it, vi } from 'vitest';
import { FakeLocks } from '../../../../test/support/fake-locks.js';
import { waitFor } from '../../../../test/support/wait-for.js';
import { settle } from '../../../../test/support/virtual-clock.js';
import { currentFence } from '../context/ownership-context.js';
import { InvalidKeyArgumentError } from '../nest/invalid-key-argument.error.js';
import { currentLock } from './current-lock.js';
import { DistributedLock } from './distributed-lock.decorator.js';
import { LockBusyError, LockLostError, LockShutdownError } from './lock.errors.js';
import {
  boot,
  gateModule,
  locks,
  onLockGateStage,
} from '../../../../test/support/lock-gate-stage.js';

onLockGateStage();

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
