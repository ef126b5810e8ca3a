import { type DynamicModule, Module } from '@nestjs/common';
import { EMPTY, Subject } from 'rxjs';
import type { ConfigChange } from '../../libs/etcd-coordination/src/config/config-change.js';
import type { WatchedConfig } from '../../libs/etcd-coordination/src/config/watched-config.js';
import {
  LIMITS,
  type RateLimitOptions,
} from '../../libs/etcd-coordination/src/traffic/limit/rate-limit-rule.js';
import {
  RATE_LIMIT_GATES,
  RateLimitGate,
} from '../../libs/etcd-coordination/src/traffic/limit/rate-limit-gate.js';
import { RateLimiter } from '../../libs/etcd-coordination/src/traffic/limit/rate-limiter.js';
import type { RateLimiterGround } from '../../libs/etcd-coordination/src/traffic/limit/share-ground.js';
import {
  LiveDocuments,
  readRule,
} from '../../libs/etcd-coordination/src/traffic/live-documents.js';
import { VirtualClock } from './virtual-clock.js';

/** A limiter of this process alone, at a clock that the test moves, whose rules the test turns. */
export class LimitStage {
  readonly clock = new VirtualClock();
  readonly limiter: RateLimiter;
  private readonly turns = new Map<string, Subject<ConfigChange>>();

  constructor(private readonly limits: Readonly<Record<string, RateLimitOptions>>) {
    // Nothing of an instance's own limit asks for more of etcd than its clock.
    const client = { clock: this.clock, options: { connection: 'default' } };
    const ground = { client } as unknown as RateLimiterGround;
    const follow = (name: string) => this.follow(name) as WatchedConfig<never>;
    this.limiter = new RateLimiter(ground, new LiveDocuments({ follow }, LIMITS, limits));
  }

  /** As a document does that overrides these numbers. */
  turn(rule: string, numbers: Partial<RateLimitOptions>): void {
    this.limiter.numbers(rule);
    const value = readRule(LIMITS, rule, { ...this.limits[rule], ...numbers });
    this.turns.get(`traffic/limits/${rule}`)!.next({ value } as ConfigChange);
  }

  /** What the module provides of it, for one connection. */
  module(connection = 'default'): DynamicModule {
    const provide = RATE_LIMIT_GATES.token(connection);
    class GateModule {}
    Module({})(GateModule);
    return {
      module: GateModule,
      global: true,
      providers: [{ provide, useValue: new RateLimitGate(this.limiter) }],
      exports: [provide],
    };
  }

  private follow(name: string): Partial<WatchedConfig> {
    const changes$ = new Subject<ConfigChange>();
    this.turns.set(name, changes$);
    const value = readRule(LIMITS, name, this.limits[name.slice('traffic/limits/'.length)]);
    return { changes$, value$: EMPTY, value, ready: () => Promise.resolve() };
  }
}
