import 'reflect-metadata';
import { Readable } from 'node:stream';
import { Injectable, StreamableFile } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { describe, expect, it } from 'vitest';
import { CoordinationModuleMissingError } from '../nest/coordination-module-missing.error.js';
import { InvalidDecoratorUseError } from '../nest/invalid-decorator-use.error.js';
import { DistributedLock, type DistributedLockOptions } from './distributed-lock.decorator.js';
import { InvalidLockOptionError } from './lock.errors.js';
import { boot, onLockGateStage } from '../../../../test/support/lock-gate-stage.js';

onLockGateStage();

@Injectable()
class Shop {
  @DistributedLock('order/{orderId}')
  async ship(orderId: string): Promise<string> {
    return orderId;
  }

  @DistributedLock('stock', { onBusy: 'throw' })
  async count(): Promise<number> {
    return 7;
  }
}

const shop = async () => (await boot([Shop])).get(Shop);

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
