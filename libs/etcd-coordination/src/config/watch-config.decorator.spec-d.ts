/**
 * What must compile and what must not; checked by `tsc --noEmit`, never run.
 */
import { z } from 'zod';
import type { ConfigChange } from './config-change.js';
import { WatchConfig, type WatchConfigOptions } from './watch-config.decorator.js';

const Prices = z.object({
  currency: z.enum(['EUR', 'USD']),
  perItem: z.coerce.number(),
  since: z.iso.datetime().transform((text) => new Date(text)),
});
type Prices = z.infer<typeof Prices>;

const SYMBOL = Symbol('prices');

export class Accepting {
  @WatchConfig('prices', { schema: Prices })
  readonly exact!: Prices;

  @WatchConfig('prices', { schema: Prices })
  readonly optional?: Prices;

  @WatchConfig('prices', { schema: Prices })
  readonly wider!: { readonly currency: string };

  @WatchConfig('prices', { schema: Prices })
  readonly unknown: unknown;

  // Its type cannot be seen by a decorator.
  @WatchConfig('prices', { schema: Prices })
  private readonly hidden!: Prices;

  @WatchConfig('prices', { schema: Prices })
  readonly [SYMBOL]!: Prices;

  @WatchConfig('prices')
  readonly anything!: Prices;

  @WatchConfig<Prices>('prices')
  readonly said!: Prices;

  @WatchConfig('limit', { default: 5 })
  readonly limit!: number;

  @WatchConfig('limits', { default: { perMinute: 60 } })
  readonly limits!: { readonly perMinute: number };

  @WatchConfig<{ mode: 'on' | 'off' }>('mode', { default: { mode: 'on' } })
  readonly mode!: { mode: 'on' | 'off' };

  @WatchConfig('greeting', { format: 'text', connection: 'reports', schema: z.string() })
  readonly greeting!: string;

  @WatchConfig('prices', { schema: Prices })
  none(): void {}

  @WatchConfig('prices', { schema: Prices })
  value(_prices: Prices): void {}

  @WatchConfig('prices', { schema: Prices })
  async both(_prices: Prices, change: ConfigChange<Prices>): Promise<number> {
    return this.hidden.perItem - (change.previous?.perItem ?? 0);
  }

  @WatchConfig('prices', { schema: Prices })
  some({ currency }: { currency: string }): string {
    return currency;
  }

  @WatchConfig('prices', { schema: Prices })
  private told(_prices: Prices): void {
    this.told(_prices);
  }

  @WatchConfig('prices')
  any(_prices: Prices, _change: ConfigChange<Prices>): void {}
}

export class Refusing {
  // @ts-expect-error the date is one by then
  @WatchConfig('prices', { schema: Prices })
  readonly input!: z.input<typeof Prices>;

  // @ts-expect-error one of the currencies is missing
  @WatchConfig('prices', { schema: Prices })
  readonly narrower!: { readonly currency: 'EUR' };

  // @ts-expect-error it is no text
  @WatchConfig('prices', { schema: Prices })
  readonly text!: string;

  // @ts-expect-error the default is no text
  @WatchConfig('limit', { default: 5 })
  readonly limit!: string;

  // @ts-expect-error the default is not what the schema gives
  @WatchConfig('prices', { schema: Prices, default: { currency: 'EUR' } })
  readonly byDefault!: Prices;

  // @ts-expect-error a property is no method
  @WatchConfig('prices', { schema: Prices })
  readonly arrow = (_prices: Prices) => undefined;

  // @ts-expect-error the method wants something else
  @WatchConfig('prices', { schema: Prices })
  wrong(_prices: string): void {}

  // @ts-expect-error there is no third argument
  @WatchConfig('prices', { schema: Prices })
  three(_prices: Prices, _change: ConfigChange<Prices>, _other: string): void {}

  // @ts-expect-error a name is a string
  @WatchConfig(42)
  readonly name: unknown;

  // @ts-expect-error not even a symbol
  @WatchConfig(SYMBOL)
  readonly symbol: unknown;

  // @ts-expect-error an option that does not exist
  @WatchConfig('prices', { shema: Prices })
  readonly option: unknown;

  // @ts-expect-error a format that does not exist
  @WatchConfig('prices', { format: 'toml' })
  readonly format: unknown;
}

export const options: WatchConfigOptions<number> = { default: 1, connection: 'reports' };
