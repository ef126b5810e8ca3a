import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ConfigExplorer, type ExploredConfig } from '../config/config.explorer.js';
import { ConfigMethodRunner } from '../config/config-method-runner.js';
import type { ConfigStore } from '../config/config.store.js';
import { watchedPropertiesOf } from '../config/watched-member.js';
import { settledWithin } from '../client/settled-within.js';
import { ConnectionRegistry } from './connection-registry.js';

/** For how long a method that is told its first value may hold up the start. */
const FIRST_VALUE_BUDGET_MS = 10_000;

/**
 * Loads what the application's classes watch, and tells their methods. Its module is global, so
 * Nest starts it before the application's own modules.
 */
@Injectable()
export class ConfigParticipation implements OnModuleInit, OnApplicationBootstrap {
  private readonly logger = new Logger('EtcdCoordination');
  private runners: readonly ConfigMethodRunner[] = [];

  constructor(
    private readonly explorer: ConfigExplorer,
    private readonly registry: ConnectionRegistry,
  ) {}

  /**
   * Loads all that is watched over a connection, at the same time. What Nest makes of the classes
   * waits for this, so they find values whenever they look.
   *
   * @throws what the first of them fails with, naming who watches it; the others are logged
   */
  async load(connection: string, store: ConfigStore): Promise<void> {
    const configs = this.explorer.configs().filter((config) => config.connection === connection);
    const loading = configs.map((config) => loadOne(store, config));
    const failures = (await Promise.allSettled(loading)).flatMap((result) =>
      result.status === 'rejected' ? [result.reason as Error] : [],
    );
    for (const failure of failures.slice(1)) this.logger.error(failure.message);
    if (failures[0]) throw failures[0];
  }

  /** Serves the objects that factories have made: nobody knew their classes before. */
  async onModuleInit(): Promise<void> {
    await this.registry.allOrNone(async () => {
      for (const { connection, watchers } of this.explorer.configs()) {
        this.registry.get(connection, watchers.join(', '));
      }
      const connections = this.registry.all;
      await Promise.all(connections.map(({ name, parts }) => this.load(name, parts.config.store)));
      for (const { className, instance } of this.explorer.givenObjects()) {
        const prototype = Reflect.getPrototypeOf(instance) ?? {};
        for (const { connection, bind } of watchedPropertiesOf(prototype).values()) {
          bind(instance, this.registry.get(connection, className).parts.config.store);
        }
      }
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.registry.allOrNone(async () => {
      this.runners = this.explorer.methods().flatMap((target) =>
        target.methods.map((method) => {
          const { store } = this.registry.get(method.connection, target.className).parts.config;
          const { declaration } = method;
          return new ConfigMethodRunner(target, method, store.follow(declaration.key, declaration));
        }),
      );
      await Promise.all(this.runners.map((runner) => this.begin(runner)));
    });
  }

  /** Tells nobody any more. Resolves when what is being told has settled, or the budget is over. */
  async stop(): Promise<void> {
    const budgets = this.registry.all.map(({ parts }) => parts.options.shutdown.drainTimeoutMs);
    const stopped = Promise.all(this.runners.map((runner) => runner.stop()));
    if (await settledWithin(this.registry.clock, stopped, Math.max(0, ...budgets))) return;
    this.logger.warn('Not every @WatchConfig method has settled; going on without them.');
  }

  private async begin(runner: ConfigMethodRunner): Promise<void> {
    if (await settledWithin(this.registry.clock, runner.start(), FIRST_VALUE_BUDGET_MS)) return;
    this.logger.warn(
      `${runner.name}, told its first value by @WatchConfig, has not settled within ${FIRST_VALUE_BUDGET_MS} ms; the application starts all the same.`,
    );
  }
}

/**
 * Stops telling the application's methods first of all when it ends. Its module is not global, so
 * Nest stops it before the modules that lie deeper: nobody is told who is gone.
 */
@Injectable()
export class ConfigRetirement implements OnModuleDestroy {
  constructor(private readonly participation: ConfigParticipation) {}

  onModuleDestroy(): Promise<void> {
    return this.participation.stop();
  }
}

async function loadOne(
  store: ConfigStore,
  { declaration, watchers }: ExploredConfig,
): Promise<void> {
  try {
    await store.watch(declaration.key, declaration);
  } catch (error) {
    throw error instanceof Error ? naming(error, watchers) : error;
  }
}

/** The error, with a sentence about who is concerned. */
function naming(error: Error, watchers: readonly string[]): Error {
  const message = `${error.message} It is watched by ${watchers.join(', ')}.`;
  error.stack = error.stack?.replace(error.message, () => message) ?? message;
  error.message = message;
  return error;
}
