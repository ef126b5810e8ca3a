import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleInit } from '@nestjs/common';
import { settledWithin } from '../client/settled-within.js';
import { RateLimitExplorer } from '../traffic/limit/rate-limit.explorer.js';
import type { LimitUse } from '../traffic/limit/limit-uses.js';
import { ResilienceExplorer } from '../traffic/resilience/resilience.explorer.js';
import { DegradableExplorer } from '../traffic/switches/degradable.explorer.js';
import { ConnectionRegistry } from './connection-registry.js';
import type { CoordinationConnection } from './coordination-connection.js';

/**
 * Has the application follow the limits, policies and switches that its classes name, and take its share of
 * what is divided among the fleet before it serves.
 */
@Injectable()
export class TrafficParticipation implements OnModuleInit, OnApplicationBootstrap {
  private readonly logger = new Logger('EtcdCoordination');
  private limits: readonly LimitUse[] = [];

  constructor(
    private readonly rateLimits: RateLimitExplorer,
    private readonly policies: ResilienceExplorer,
    private readonly degradable: DegradableExplorer,
    private readonly registry: ConnectionRegistry,
  ) {}

  /** @throws {UnknownTrafficNameError} for a limit, a policy or a switch that is not declared; lists those that are */
  async onModuleInit(): Promise<void> {
    await this.registry.allOrNone(async () => {
      this.limits = this.rateLimits.explore();
      for (const use of this.limits) {
        this.registry.get(use.connection, use.place).parts.traffic.limiter.assertUse(use);
      }
      for (const { connection, policy, place } of this.policies.explore()) {
        this.registry.get(connection, place).parts.traffic.resilience.follow(policy, place);
      }
      for (const method of this.degradable.explore()) {
        const { traffic } = this.registry.get(method.connection, method.place).parts;
        traffic.switches.of(method.switch, method.place);
      }
      await Promise.all(this.registry.all.map(({ parts }) => parts.traffic.switches.ready()));
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.registry.allOrNone(async () => {
      // Started before, by the elections; without a lease nothing can be shared.
      await Promise.all(this.registry.all.map((connection) => connection.start()));
      await Promise.all(this.limits.map((use) => this.takePart(use)));
    });
  }

  /** The start waits until there is a share, or it is known that there will be none for now. */
  private async takePart({ connection, rule, place }: LimitUse): Promise<void> {
    const of = this.registry.get(connection, place);
    const { client, traffic, options } = of.parts;
    const taking = traffic.limiter.use(rule, place);
    const budgetMs = isAway(of) ? 0 : options.client.timeouts.registration;
    if (await settledWithin(client.clock, taking, budgetMs)) {
      return taking.catch((error: unknown) => {
        // It is being stopped while it starts; that is no failure of the start.
        if (!of.isLeaving) throw error;
      });
    }
    this.logger.warn(
      `The application starts without a share of the limit "${rule}": etcd has not answered. It takes one as soon as etcd does.`,
    );
    taking.catch((error: unknown) => {
      if (!of.isLeaving) this.logger.error(`No share of the limit "${rule}": ${String(error)}`);
    });
  }
}

function isAway(connection: CoordinationConnection): boolean {
  return connection.parts.client.isAwaited || !connection.hasStarted;
}
