import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Subscription } from 'rxjs';
import { pause } from '../client/clock.js';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { retryDelay } from '../client/retry-delay.js';
import { settledWithin } from '../client/settled-within.js';
import type { HealthCheck } from '../registry/health/health-check.js';
import { ConnectionRegistry } from './connection-registry.js';
import type { CoordinationConnection } from './coordination-connection.js';

/** The health check that the application's own HTTP server is open. */
const LISTENING = 'the HTTP server';
/** Between two attempts to register what could not be before the start went on. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };

/**
 * Registers the process as its options say, and has it take its part in the probing. An application with an HTTP server is `starting` until that
 * listens: Nest has its hooks before, and whoever called it then would be refused.
 */
@Injectable()
export class RegistryParticipation implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('EtcdCoordination');
  private readonly going = new AbortController();
  private listening: Subscription | undefined;

  constructor(
    private readonly registry: ConnectionRegistry,
    private readonly http: HttpAdapterHost,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const connections = this.registry.all;
    const registering = connections.filter(({ parts }) => parts.options.registration);
    await this.registry.allOrNone(async () => {
      if (registering.length > 0) this.awaitServer(registering);
      // Started before, by the elections; what has no lease can neither be registered nor probe others.
      await Promise.all(connections.map((connection) => connection.start()));
      for (const { parts } of connections) parts.probing.begin();
      await Promise.all(registering.map((connection) => this.register(connection)));
    });
  }

  onModuleDestroy(): void {
    this.listening?.unsubscribe();
    this.going.abort();
  }

  private awaitServer(registering: readonly CoordinationConnection[]): void {
    const isOpen: HealthCheck = () =>
      this.http.listening || { status: 'down', reason: 'it does not listen yet' };
    if (!hasServer(this.http)) return;
    for (const { parts } of registering) parts.registry.addHealthCheck(LISTENING, isOpen);
    this.listening = this.http.listen$.subscribe(() => {
      for (const { parts } of registering) parts.registry.checkHealth();
    });
  }

  /**
   * The start waits for as long as a registration may take; when etcd is away for a moment it goes on
   * all the same. A duplicate that is known by then fails it.
   */
  private async register(of: CoordinationConnection): Promise<void> {
    const { client, registry, options } = of.parts;
    const { name } = options.registration!;
    const registering = registry.register(options.registration!);
    const isAway = client.isAwaited || !of.hasStarted;
    const budgetMs = isAway ? 0 : options.client.timeouts.registration;
    if (await settledWithin(client.clock, registering, budgetMs)) {
      return registering.then(
        () => undefined,
        (error: unknown) => {
          // It is being stopped while it starts; that is no failure of the start.
          if (!of.isLeaving) throw error;
        },
      );
    }
    const why = isAway ? 'etcd is away' : `it has taken more than ${budgetMs} ms`;
    this.logger.warn(
      `The application starts without being registered as an instance of "${name}": ${why}. It is tried again until it is.`,
    );
    void this.goOn(of, registering);
  }

  /** What etcd refuses now, or a predecessor that lives on for a while, does not last for ever. */
  private async goOn(of: CoordinationConnection, first: Promise<unknown>): Promise<void> {
    const { client, registry, options } = of.parts;
    const { name } = options.registration!;
    let registering = first;
    for (let attempt = 1; ; attempt++) {
      try {
        await registering;
        return this.logger.log(`Now registered as an instance of "${name}".`);
      } catch (error) {
        if (of.isLeaving) return;
        if (attempt === 1) {
          const message = error instanceof EtcdCoordinationError ? error.message : String(error);
          this.logger.error(
            `The application is not registered as an instance of "${name}", which is tried again now and then: ${message}`,
          );
        }
      }
      const delay = retryDelay(attempt, RETRY_SLOWLY);
      await pause(client.clock, delay, this.going.signal, { unref: true }).catch(() => undefined);
      if (of.isLeaving || this.going.signal.aborted) return;
      registering = registry.register(options.registration!);
    }
  }
}

function hasServer({ httpAdapter }: HttpAdapterHost): boolean {
  return Boolean(httpAdapter?.getHttpServer?.());
}
