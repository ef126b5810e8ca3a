import type { TrafficOptions } from 'nestjs-etcd-coordination';

/** The limit of `POST /orders`, which `npm run config -- set traffic/limits/orders` turns. */
export const ORDERS_LIMIT = 'orders';

/** The switch and the policy of what is recommended; `traffic/switches/recommendations` turns the one. */
export const RECOMMENDATIONS = 'recommendations';

/** What keeps demo-orders standing, until somebody says otherwise in etcd. */
export const ORDERS_TRAFFIC = {
  limits: {
    // Of all processes together: more than they ever get, unless it is turned.
    [ORDERS_LIMIT]: { limit: 500, windowMs: 1000, burst: 500, mode: 'fleet' },
  },
  policies: {
    // No customer waits longer for what is only nice to have.
    [RECOMMENDATIONS]: { timeoutMs: 250 },
  },
  switches: {
    [RECOMMENDATIONS]: {
      priority: 7,
      // Short, so that nobody has to wait long for it to show.
      auto: { errorRate: 0.5, p99Ms: 150, windowMs: 1000, minCalls: 5, recoverAfterMs: 1000 },
    },
  },
} satisfies TrafficOptions;
