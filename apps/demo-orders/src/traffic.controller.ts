import { Controller, Get, Inject } from '@nestjs/common';
import {
  RateLimiter,
  type RateLimitStatus,
  Switches,
  type SwitchStatus,
} from 'nestjs-etcd-coordination';
import { DEMO_SETTINGS, type DemoSettings } from '../../demo-shared/src/settings.js';
import { OrderTrail } from './order-trail.service.js';
import { ORDERS_LIMIT, RECOMMENDATIONS } from './traffic.js';

/** What stands between this process and too much traffic. */
export interface TrafficView {
  readonly instanceId: string;
  /** The limit of orders, and what this process may use of it. */
  readonly limit: RateLimitStatus;
  /** The switch of recommendations; its dates are text in JSON. */
  readonly switch: SwitchStatus;
  /** How many records of orders went in how many transactions since the start. */
  readonly trail: { readonly written: number; readonly transactions: number };
}

/** `GET /traffic`: how the limit and the switch stand in this process. Asks nobody. */
@Controller('traffic')
export class TrafficController {
  constructor(
    private readonly limiter: RateLimiter,
    private readonly switches: Switches,
    private readonly trail: OrderTrail,
    @Inject(DEMO_SETTINGS) private readonly settings: DemoSettings,
  ) {}

  @Get()
  view(): TrafficView {
    const { written, transactions } = this.trail.stats;
    return {
      instanceId: this.settings.instanceId,
      limit: this.limiter.status(ORDERS_LIMIT),
      switch: this.switches.state(RECOMMENDATIONS),
      trail: { written, transactions },
    };
  }
}
