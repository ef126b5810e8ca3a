import { z } from 'zod';

/** What everybody follows. */
export const LIMITS = 'limits';

export const LimitsSchema = z.strictObject({
  /** By whom it was published: different for each. */
  attempt: z.string().min(1),
  perMinute: z.int().min(1),
});
export type Limits = z.infer<typeof LimitsSchema>;

export const DEFAULT_LIMITS: Limits = { attempt: 'default', perMinute: 60 };

export const limitsText = ({ attempt, perMinute }: Limits) =>
  JSON.stringify({ attempt, perMinute });
