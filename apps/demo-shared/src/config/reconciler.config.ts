import type { ConfigOptions } from 'nestjs-etcd-coordination';
import { z } from 'zod';

/** The configuration's name in etcd, as `npm run config -- get reconciler` takes it. */
export const RECONCILER_SETTINGS = 'reconciler';

const schema = z.strictObject({
  /** Leaves all orders pending. */
  paused: z.boolean().default(false),
  /** Milliseconds from one look for pending orders to the next. */
  everyMs: z.int().min(50).max(60_000).default(200),
  /** The most orders that one look settles. */
  ordersARun: z.int().min(1).max(1000).default(100),
});

/** How the reconciler works. Whatever a document leaves out has its default. */
export type ReconcilerSettings = Readonly<z.infer<typeof schema>>;

export const RECONCILER_OPTIONS = {
  schema,
  default: schema.parse({}),
} satisfies ConfigOptions<ReconcilerSettings>;
