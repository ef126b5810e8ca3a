import { Injectable, Module, type DynamicModule, type Type } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { ModulesContainer } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { Observable, of } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { failureOf } from '../../../../../test/support/failure-of.js';
import {
  clock,
  declare,
  down,
  never,
  onResilienceStage,
  resilience,
} from '../../../../../test/support/resilience-stage.js';
import { settle } from '../../../../../test/support/virtual-clock.js';
import { currentCall } from './current-call.js';
import { RESILIENCE_GATES, ResilienceGate } from './resilience-gate.js';
import {
  BulkheadFullError,
  FallbackFailedError,
  ResilienceTimeoutError,
} from './resilience.errors.js';
import { ResilienceExplorer } from './resilience.explorer.js';
import { Resilient } from './resilient.decorator.js';

onResilienceStage();

const apps: TestingModule[] = [];

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});

async function boot(...providers: Type<object>[]): Promise<TestingModule> {
  const app = await Test.createTestingModule({ imports: [gateModule()], providers }).compile();
  apps.push(app);
  await app.init();
  return app;
}

function gateModule(): DynamicModule {
  const provide = RESILIENCE_GATES.token('default');
  class GateModule {}
  Module({})(GateModule);
  return {
    module: GateModule,
    global: true,
    providers: [{ provide, useValue: new ResilienceGate(resilience) }],
    exports: [provide],
  };
}

/** Asks a dependency that does what a test says. */
@Injectable()
class Stock {
  does: () => Promise<number> = () => Promise.resolve(7);
  readonly asked: string[] = [];
  signal: AbortSignal | undefined;

  @Resilient('stock', { idempotent: true, fallback: 'lastKnown' })
  async inStock(sku: string, _shop?: string): Promise<number> {
    this.asked.push(sku);
    this.signal = currentCall()?.signal;
    return await this.does();
  }

  @Resilient('stock')
  async reserve(sku: string): Promise<number> {
    this.asked.push(sku);
    return await this.does();
  }

  @Resilient('stock', { fallback: (error, sku: string) => `${sku}: ${String(error)}` })
  async describe(_sku: string): Promise<string> {
    return String(await this.does());
  }

  lastKnown(error: unknown, sku: string): number {
    this.asked.push(`${sku} after ${String(error)}`);
    return -1;
  }
}

describe('a method marked @Resilient', () => {
  it('is called under its policy, with its arguments, on its object', async () => {
    declare({ retry: {} });
    const stock = (await boot(Stock)).get(Stock);
    let failures = 1;
    stock.does = () => (failures-- > 0 ? Promise.reject(down) : Promise.resolve(7));
    const call = stock.inStock('a');
    await clock.advance(1000);

    await expect(call).resolves.toBe(7);
    expect(stock.asked).toEqual(['a', 'a']);
  });

  it('has another method stand in, which is given the error first', async () => {
    declare({});
    const stock = (await boot(Stock)).get(Stock);
    stock.does = () => Promise.reject(down);

    await expect(stock.inStock('a')).resolves.toBe(-1);
    expect(stock.asked).toEqual(['a', 'a after Error: down']);
    await expect(stock.describe('b')).resolves.toBe('b: Error: down');
  });

  it('has the method stand in that a subclass has', async () => {
    @Injectable()
    class OtherStock extends Stock {
      override lastKnown(): number {
        return -2;
      }
    }
    declare({});
    const stock = (await boot(OtherStock)).get(OtherStock);
    stock.does = () => Promise.reject(down);

    await expect(stock.inStock('a')).resolves.toBe(-2);
  });

  it('names what stands in, when that fails', async () => {
    @Injectable()
    class BrokenStock extends Stock {
      override lastKnown(): number {
        throw new Error('broken');
      }
    }
    declare({});
    const stock = (await boot(BrokenStock)).get(BrokenStock);
    stock.does = () => Promise.reject(down);
    const failure = await failureOf(stock.inStock('a'));

    expect(failure).toBeInstanceOf(FallbackFailedError);
    expect(failure).toMatchObject({ fallback: 'Stock.lastKnown', failure: down });
  });

  it('finds the signal of its attempt', async () => {
    declare({ timeoutMs: 100 });
    const stock = (await boot(Stock)).get(Stock);
    stock.does = () => never;
    const call = stock.inStock('a');
    await settle();
    expect(stock.signal?.aborted).toBe(false);
    await clock.advance(100);
    await call;

    expect(stock.signal?.reason).toBeInstanceOf(ResilienceTimeoutError);
  });

  it('fails with what its policy refuses it with', async () => {
    declare({ bulkhead: { concurrent: 1 } });
    const stock = (await boot(Stock)).get(Stock);
    stock.does = () => never;
    void stock.reserve('a');

    await expect(stock.reserve('b')).rejects.toBeInstanceOf(BulkheadFullError);
    expect(stock.asked).toEqual(['a']);
  });

  it('tells senders of messages what its policy refuses them with, and nobody else', async () => {
    @Injectable()
    class Handler {
      @MessagePattern('reserve')
      @Resilient('stock')
      reserve(): Promise<unknown> {
        return never;
      }
    }
    declare({ bulkhead: { concurrent: 1 } });
    const app = await boot(Handler);
    app.get<ResilienceGate>(RESILIENCE_GATES.token('default')).answerMessagesWith(RpcException);
    const handler = app.get(Handler);
    void handler.reserve();
    const refusal = await failureOf(handler.reserve());

    expect(refusal).toBeInstanceOf(RpcException);
    expect((refusal as RpcException).getError()).toMatchObject({
      status: 'error',
      code: 'BULKHEAD_FULL',
      policy: 'stock',
      retryAfterMs: null,
    });
  });

  it('fails outside of an application that has the module', async () => {
    await expect(new Stock().inStock('a')).rejects.toMatchObject({
      message: expect.stringContaining('Stock.inStock') as string,
    });
  });

  it('is found at the start, so that an unknown policy is', async () => {
    const app = await boot(Stock);
    const found = new ResilienceExplorer(app.get(ModulesContainer)).explore();

    expect(found.map(({ policy, connection, place }) => [policy, connection, place])).toEqual([
      ['stock', 'default', 'Stock.inStock'],
      ['stock', 'default', 'Stock.reserve'],
      ['stock', 'default', 'Stock.describe'],
    ]);
    declare({});
    expect(() => resilience.follow('stok', 'Stock.inStock')).toThrow(
      /There is no policy "stok", which Stock.inStock asks for. Those are: "stock"/,
    );
  });
});

describe('@Resilient cannot stand', () => {
  const define: readonly [string, string, () => void][] = [
    [
      'on a method that gives no promise',
      'returns no promise',
      () => {
        class Wrong {
          // @ts-expect-error It gives its value at once.
          @Resilient('stock')
          now(): number {
            return 1;
          }
        }
        return Wrong;
      },
    ],
    [
      'on one that gives an Observable',
      'returns no promise',
      () => {
        class Wrong {
          // @ts-expect-error It gives no promise.
          @Resilient('stock')
          stream(): Observable<number> {
            return of(1);
          }
        }
        return Wrong;
      },
    ],
    [
      'with a fallback that is not there',
      'the name of a method',
      () => {
        class Wrong {
          @Resilient('stock', { fallback: 'missing' })
          async call(): Promise<void> {}
        }
        return Wrong;
      },
    ],
    [
      'with itself as its fallback',
      'stand in for itself',
      () => {
        class Wrong {
          @Resilient('stock', { fallback: 'call' })
          async call(): Promise<void> {}
        }
        return Wrong;
      },
    ],
    [
      'without a name',
      'no name of a policy',
      () => {
        class Wrong {
          @Resilient(' ')
          async call(): Promise<void> {}
        }
        return Wrong;
      },
    ],
    [
      'with an option that there is not',
      'no option "retries"',
      () => {
        class Wrong {
          @Resilient('stock', { retries: 3 } as never)
          async call(): Promise<void> {}
        }
        return Wrong;
      },
    ],
  ];

  it.each(define)('%s', (_, fault, make) => {
    expect(make).toThrow(expect.objectContaining({ code: 'INVALID_DECORATOR_USE' }) as Error);
    expect(make).toThrow(fault);
  });
});
