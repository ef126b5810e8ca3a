import type { FactoryProvider, InjectionToken } from '@nestjs/common';
import { RATE_LIMIT_GATES, RateLimitGate } from '../traffic/limit/rate-limit-gate.js';
import { RateLimiter } from '../traffic/limit/rate-limiter.js';
import { RESILIENCE_GATES, ResilienceGate } from '../traffic/resilience/resilience-gate.js';
import { Resilience } from '../traffic/resilience/resilience.service.js';
import { SWITCH_GATES, SwitchGate } from '../traffic/switches/switch-gate.js';
import { Switches } from '../traffic/switches/switches.js';
import { WriteBatcher } from '../transaction/write-batcher.js';
import type { CoordinationConnection } from './coordination-connection.js';
import { connectionToken, getCoordinationToken } from './coordination.tokens.js';
import type { TrafficParts } from './traffic-parts.js';

/** What a connection provides of limits, policies, switches and merged writes. */
export function trafficProviders(connection: string): FactoryProvider[] {
  const of = <T>(provide: InjectionToken, pick: (traffic: TrafficParts) => T): FactoryProvider => ({
    provide,
    useFactory: ({ parts }: CoordinationConnection) => pick(parts.traffic),
    inject: [connectionToken(connection)],
  });
  return [
    of(getCoordinationToken(RateLimiter, connection), ({ limiter }) => limiter),
    of(getCoordinationToken(Resilience, connection), ({ resilience }) => resilience),
    of(getCoordinationToken(Switches, connection), ({ switches }) => switches),
    of(getCoordinationToken(WriteBatcher, connection), ({ batcher }) => batcher),
    of(RATE_LIMIT_GATES.token(connection), ({ limiter }) => new RateLimitGate(limiter)),
    of(RESILIENCE_GATES.token(connection), ({ resilience }) => new ResilienceGate(resilience)),
    of(SWITCH_GATES.token(connection), ({ switches }) => new SwitchGate(switches)),
  ];
}

/** What of it other modules may inject. */
export function trafficExports(connection: string): InjectionToken[] {
  return trafficProviders(connection).map(({ provide }) => provide);
}
