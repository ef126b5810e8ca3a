import { Inject, Injectable, Logger, type OnApplicationBootstrap, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { describe, expect, it, vi } from 'vitest';
import { waitFor } from '../../../../test/support/wait-for.js';
import type { ConfigChange } from '../config/config-change.js';
import { ConfigStore } from '../config/config.store.js';
import { WatchConfig } from '../config/watch-config.decorator.js';
import { ConfigParticipation } from './config-participation.js';
import { Prices, useConfigApps } from '../../../../test/support/config-app-stage.js';

const { boot, set } = useConfigApps();

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
