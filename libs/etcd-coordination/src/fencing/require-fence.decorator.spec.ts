import { Injectable, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { defer, lastValueFrom, Observable, of, toArray } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeLedger } from '../../../../test/support/fake-ledger.js';
import { fenceOf } from '../../../../test/support/fences.js';
import { currentFence, runOwning } from '../context/ownership-context.js';
import { CoordinationModuleMissingError } from '../nest/coordination-module-missing.error.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { FENCE_GATES, FenceGate } from './fence-gate.js';
import { RequireFence } from './require-fence.decorator.js';

const apps: TestingModule[] = [];

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function build<T>(type: Type<T>, ledger = new FakeLedger()): Promise<T> {
  const app = await Test.createTestingModule({
    providers: [type, { provide: FENCE_GATES.token('default'), useValue: new FenceGate(ledger) }],
  }).compile();
  apps.push(app);
  return app.get(type);
}

/** As inside of a lock. */
function under<T>(lock: string, revision: number, work: () => T): T {
  const fence = fenceOf(lock, revision);
  return runOwning('lock', fence, fence, work);
}

@Injectable()
class Stock {
  readonly ran: unknown[] = [];

  @RequireFence('lock/sku/{0.sku}')
  async reserve(order: { sku: string; n?: number }): Promise<string> {
    await new Promise((resolve) => setImmediate(resolve));
    this.ran.push(order);
    return `${currentFence()?.resource} ${currentFence()!.token >> 20n}`;
  }

  @RequireFence('lock/sku/{sku}')
  watch(sku: string): Observable<string> {
    this.ran.push(sku);
    return defer(() => of('a', `${currentFence()?.resource}`));
  }

  @RequireFence('lock/sku/{sku}')
  async *list(sku: string): AsyncGenerator<string, string, string | undefined> {
    this.ran.push(sku);
    try {
      const answer = yield `1 ${currentFence()?.resource}`;
      await Promise.resolve();
      yield `${answer} ${currentFence()?.resource}`;
      return 'end';
    } finally {
      this.ran.push('closed');
    }
  }

  @RequireFence((args: [{ sku: string }]) => `lock/sku/${args[0].sku}`)
  async byFunction(_order: { sku: string }): Promise<void> {}
}

describe('@RequireFence', () => {
  it('runs for who owns the resource, in the context of that fence', async () => {
    const ledger = new FakeLedger();
    const stock = await build(Stock, ledger);
    expect(await under('sku/1', 5, () => stock.reserve({ sku: '1' }))).toBe('lock/sku/1 5');
    expect(ledger.observed).toEqual([fenceOf('sku/1', 5)]);
    await under('sku/1', 5, () => stock.byFunction({ sku: '1' }));
  });

  it('finds the fence among all that the call stands in', async () => {
    const stock = await build(Stock);
    const result = under('sku/1', 5, () => under('other', 9, () => stock.reserve({ sku: '1' })));
    expect(await result).toBe('lock/sku/1 5');
  });

  it('refuses one that is older than the newest seen, and runs nothing', async () => {
    const stock = await build(Stock);
    await under('sku/1', 6, () => stock.reserve({ sku: '1', n: 1 }));
    await expect(under('sku/1', 5, () => stock.reserve({ sku: '1', n: 2 }))).rejects.toMatchObject({
      code: 'STALE_FENCE',
      statusCode: 409,
      token: fenceOf('sku/1', 5).token,
      newest: fenceOf('sku/1', 6).token,
    });
    await under('sku/1', 6, () => stock.reserve({ sku: '1', n: 3 }));
    expect(stock.ran).toEqual([
      { sku: '1', n: 1 },
      { sku: '1', n: 3 },
    ]);
  });

  it('refuses a call without a fence, and one with that of another resource', async () => {
    const ledger = new FakeLedger();
    const stock = await build(Stock, ledger);
    await expect(stock.reserve({ sku: '1' })).rejects.toMatchObject({
      code: 'FENCE_REQUIRED',
      statusCode: 428,
      message: expect.stringContaining('Stock.reserve() runs only for who owns "lock/sku/1"'),
    });
    await expect(under('sku/11', 5, () => stock.reserve({ sku: '1' }))).rejects.toMatchObject({
      code: 'FENCE_MISMATCH',
      statusCode: 409,
      owned: ['lock/sku/11'],
    });
    expect(stock.ran).toEqual([]);
    expect(ledger.observed).toEqual([]);
  });

  it('is not led astray by what an argument holds', async () => {
    const stock = await build(Stock);
    await expect(under('sku/1/2', 5, () => stock.reserve({ sku: '1/2' }))).rejects.toMatchObject({
      code: 'FENCE_MISMATCH',
      resource: 'lock/sku/1%2F2',
    });
    for (const sku of [undefined, null, '', {}, NaN]) {
      await expect(stock.reserve({ sku: sku as string })).rejects.toMatchObject({
        code: 'INVALID_KEY_ARGUMENT',
      });
    }
  });

  it('passes on what else the ledger fails with', async () => {
    const ledger = new FakeLedger();
    const stock = await build(Stock, ledger);
    ledger.failure = new Error('no etcd');
    await expect(under('sku/1', 5, () => stock.reserve({ sku: '1' }))).rejects.toBe(ledger.failure);
  });

  it('asks for an observable with each subscription', async () => {
    const ledger = new FakeLedger();
    const stock = await build(Stock, ledger);
    const values = under('sku/1', 5, () => stock.watch('1'));
    expect(ledger.observed).toEqual([]);
    // Who owns what counts when it is subscribed to.
    await expect(lastValueFrom(values)).rejects.toMatchObject({ code: 'FENCE_REQUIRED' });
    const read = () => lastValueFrom(values.pipe(toArray()));
    // Its fence is the demanded one, though the caller stands in another lock within.
    const within = () => under('other', 9, read);
    expect(await under('sku/1', 5, within)).toEqual(['a', 'lock/sku/1']);
    expect(await under('sku/1', 6, read)).toEqual(['a', 'lock/sku/1']);
    await expect(under('sku/1', 5, read)).rejects.toMatchObject({ code: 'STALE_FENCE' });
    expect(stock.ran).toEqual(['1', '1']);
  });

  it('asks for a generator when its first value is wanted', async () => {
    const stock = await build(Stock);
    const refused = stock.list('1');
    await expect(refused.next()).rejects.toMatchObject({ code: 'FENCE_REQUIRED' });

    const values = stock.list('1');
    const first = await under('sku/1', 5, () => values.next());
    expect(first).toEqual({ done: false, value: '1 lock/sku/1' });
    expect(await values.next('sent')).toEqual({ done: false, value: 'sent lock/sku/1' });
    expect(await values.next()).toEqual({ done: true, value: 'end' });
  });

  it('closes a generator that is left early', async () => {
    const stock = await build(Stock);
    await under('sku/1', 5, async () => {
      const values: AsyncIterable<string> = stock.list('1');
      for await (const value of values) {
        expect(value).toBe('1 lock/sku/1');
        break;
      }
    });
    expect(stock.ran).toEqual(['1', 'closed']);
  });

  it('fails the start of an application without the module', async () => {
    const building = Test.createTestingModule({ providers: [Stock] }).compile();
    await expect(building).rejects.toThrow(/FenceGate: for @RequireFence import/);
  });

  it('says so on an object that Nest did not build', async () => {
    const call = under('sku/1', 5, () => new Stock().reserve({ sku: '1' }));
    await expect(call).rejects.toThrow(CoordinationModuleMissingError);
    await expect(call).rejects.toThrow(/Stock\.reserve\(\) is gated by @RequireFence/);
  });

  it.each<[string, () => unknown]>([
    ['a lock instead of a resource', () => RequireFence('sku/{0}')],
    ['nothing', () => RequireFence('')],
    ['a feature alone', () => RequireFence('lock/')],
    ['what is no name', () => RequireFence('lock//a')],
    ['no string', () => RequireFence(5 as never)],
    ['an argument that is not there', () => RequireFence('lock/{order.sku}')],
    ['an unknown option', () => RequireFence('lock/a', { conection: 'x' } as never)],
    ['no options', () => RequireFence('lock/a', null as never)],
  ])('refuses %s while the class is defined', (_, make) => {
    expect(() => {
      class Wrong {
        async method(_sku: string): Promise<void> {}
      }
      const descriptor = Reflect.getOwnPropertyDescriptor(Wrong.prototype, 'method')!;
      (make() as MethodDecorator)(Wrong.prototype, 'method', descriptor);
    }).toThrow(InvalidDecoratorUseError);
  });

  it('stands on no static method', () => {
    expect(() => {
      class Wrong {
        @RequireFence('lock/a')
        static async method(): Promise<void> {}
      }
      return Wrong;
    }).toThrow(/the static Wrong\.method/);
  });
});
