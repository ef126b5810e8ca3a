import 'reflect-metadata';
import { Injectable, Scope } from '@nestjs/common';
import { MessagePattern, RpcException } from '@nestjs/microservices';
import { Test, type TestingModule } from '@nestjs/testing';
import { firstValueFrom, of, throwError, type Observable } from 'rxjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CoordinationModuleMissingError } from '../../nest/coordination-module-missing.error.js';
import { InvalidDecoratorUseError } from '../../nest/invalid-decorator-use.error.js';
import { Degradable } from './degradable.decorator.js';
import { DegradableExplorer } from './degradable.explorer.js';
import type { DegradableSwitch } from './degradable-switch.js';
import { DegradedError, DegradedFallbackError } from './switch.errors.js';
import { SWITCH_GATES, SwitchGate } from './switch-gate.js';
import type { SwitchStatus } from './switch-status.js';

const OFF: SwitchStatus = {
  ...{ name: 'recommendations', priority: 3, state: 'off', share: 0, source: 'manual' },
  ...{ scope: 'fleet', by: 'ada', why: 'the search is down', since: null, until: null },
};

/** A switch that is as the test says. */
class FakeSwitch {
  isOn = true;
  ran = 0;
  readonly status = OFF;

  admits(): boolean {
    return this.isOn;
  }

  run<T>(work: () => T): T {
    this.ran += 1;
    return work();
  }
}

@Injectable()
class Shop {
  readonly stock = 7;

  @Degradable('recommendations', { fallback: () => [] })
  async recommend(order: string): Promise<string[]> {
    return [order];
  }

  @Degradable('recommendations', { fallback: 'known' })
  statistics(factor: number): number {
    return factor * 100;
  }

  known(factor: number): number {
    return factor * this.stock;
  }

  @Degradable('recommendations')
  atOnce(): number {
    return 1;
  }

  @Degradable('recommendations')
  async later(): Promise<number> {
    return 1;
  }

  @Degradable('recommendations', { fallback: 'broken' })
  brokenAtOnce(): number {
    return 1;
  }

  broken(): number {
    throw new Error('nothing is known');
  }

  @Degradable('recommendations', { fallback: () => Promise.reject(new Error('nothing later')) })
  async brokenLater(): Promise<number> {
    return 1;
  }

  @Degradable('recommendations', { fallback: () => throwError(() => new Error('no stream')) })
  brokenStream(): Observable<number> {
    return of(1);
  }

  @MessagePattern('recommend')
  @Degradable('recommendations')
  async message(): Promise<number> {
    return 1;
  }
}

@Injectable({ scope: Scope.REQUEST })
class BigShop extends Shop {
  override known(factor: number): number {
    return factor * 1000;
  }
}

describe('@Degradable', () => {
  let fake: FakeSwitch;
  let gate: SwitchGate;
  let app: TestingModule;
  let shop: Shop;

  beforeEach(async () => {
    fake = new FakeSwitch();
    gate = new SwitchGate({ of: () => fake as unknown as DegradableSwitch });
    const providers = [
      ...[Shop, BigShop, DegradableExplorer],
      { provide: SWITCH_GATES.token('default'), useValue: gate },
    ];
    app = await Test.createTestingModule({ providers }).compile();
    shop = app.get(Shop);
  });
  afterEach(() => app.close());

  const failureOf = async (run: () => unknown) => {
    try {
      await run();
    } catch (error) {
      return error as Error;
    }
    return expect.unreachable('it went through');
  };

  it('runs what is on, measured, and what returns at once at once', async () => {
    expect(shop.statistics(2)).toBe(200);
    expect(await shop.recommend('a')).toEqual(['a']);
    expect(fake.ran).toBe(2);
  });

  it('runs the fallback of what is off, with the arguments and the object of the call', async () => {
    fake.isOn = false;
    expect(shop.statistics(2)).toBe(14);
    const recommended = shop.recommend('a');
    expect(recommended).toBeInstanceOf(Promise);
    expect(await recommended).toEqual([]);
    expect(fake.ran).toBe(0);
    const big = await app.resolve(BigShop);
    expect(big.statistics(2)).toBe(2000);
  });

  it('fails without a fallback, saying by whom and why to nobody outside', async () => {
    fake.isOn = false;
    expect(() => shop.atOnce()).toThrow(DegradedError);
    const error = await failureOf(() => shop.later());
    expect(error).toMatchObject({ code: 'DEGRADED', status: 503, switch: 'recommendations' });
    expect(error.message).toContain('"recommendations"');
    expect(`${error.message} ${JSON.stringify(error)}`).not.toMatch(/ada|search/);
    // For the log.
    expect(error).toMatchObject({ state: { by: 'ada', why: 'the search is down' } });
    // A promise rejects, rather than the call itself.
    expect(await shop.later().catch(() => 'caught')).toBe('caught');
  });

  it('keeps which fallback has failed, and why, for the log', async () => {
    fake.isOn = false;
    const atOnce = await failureOf(() => shop.brokenAtOnce());
    expect(atOnce).toBeInstanceOf(DegradedFallbackError);
    expect(atOnce).toMatchObject({ fallback: 'Shop.broken()', status: 503 });
    expect(`${atOnce.message} ${JSON.stringify(atOnce)}`).not.toMatch(/nothing is known|broken/);
    expect((atOnce.cause as Error).message).toBe('nothing is known');
    const later = await failureOf(() => shop.brokenLater());
    expect(later).toBeInstanceOf(DegradedFallbackError);
    expect((later.cause as Error).message).toBe('nothing later');
    const streamed = await failureOf(() => firstValueFrom(shop.brokenStream()));
    expect(streamed).toBeInstanceOf(DegradedFallbackError);
    expect((streamed.cause as Error).message).toBe('no stream');
  });

  it('tells the sender of a message', async () => {
    fake.isOn = false;
    gate.answerMessagesWith(RpcException);
    const error = await failureOf(() => shop.message());
    expect(error).toBeInstanceOf(RpcException);
    expect((error as RpcException).getError()).toMatchObject({
      ...{ status: 'error', code: 'DEGRADED', switch: 'recommendations' },
    });
    // Others are not messages.
    expect(await failureOf(() => shop.later())).toBeInstanceOf(DegradedError);
  });

  it('is found, with where it stands, so that the start can check its name', () => {
    const found = app.get(DegradableExplorer).explore();
    expect(found).toContainEqual({
      ...{ switch: 'recommendations', connection: 'default', place: 'Shop.recommend' },
    });
  });

  it('needs an object that Nest has built', async () => {
    const own = new Shop();
    expect(() => own.atOnce()).toThrow(CoordinationModuleMissingError);
    await expect(own.later()).rejects.toThrow(CoordinationModuleMissingError);
  });

  it('refuses what cannot work where it is written', () => {
    const decorate = (name: unknown, options?: unknown) => () => {
      class Wrong {
        run(): void {}
      }
      const descriptor = Object.getOwnPropertyDescriptor(Wrong.prototype, 'run')!;
      Degradable(name as string, options as object)(Wrong.prototype, 'run', descriptor);
    };
    for (const [name, options, why] of [
      ['', {}, 'no name of a switch'],
      [7, {}, 'no name of a switch'],
      ['x', { fallback: 'gone' }, 'there is no gone()'],
      ['x', { fallback: 7 }, 'neither a function nor'],
      ['x', { fallBack: () => 1 }, 'no option "fallBack"'],
      ['x', { connection: ' ' }, 'no name of a connection'],
      ['x', null, 'not an object'],
    ] as const) {
      expect(decorate(name, options)).toThrow(InvalidDecoratorUseError);
      expect(decorate(name, options)).toThrow(why);
    }
  });
});
