import type { ConfigOptions } from 'nestjs-etcd-coordination';
import { z } from 'zod';

/** The configuration's name in etcd, as `npm run config -- get prices` takes it. */
export const PRICES = 'prices';

/** What a piece of each article costs, in cents. */
export type Prices = Readonly<Record<string, number>>;

/**
 * What a price list must be. The schema cannot know which articles are on sale, so a list that
 * lacks one passes: that it does harm shows in the orders, see `UnpricedOrders`.
 */
export const PRICES_OPTIONS = {
  schema: z.record(z.string(), z.int().positive().max(10_000_000)),
  default: { bolt: 25, nut: 10, lamp: 4500 },
} satisfies ConfigOptions<Prices>;
