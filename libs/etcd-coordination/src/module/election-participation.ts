import {
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { Subscription } from 'rxjs';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { ElectionExplorer, type ExploredElection } from '../election/election.explorer.js';
import { TermHookRunner } from '../election/term-hook-runner.js';
import { settledWithin } from '../client/settled-within.js';
import { ConnectionRegistry } from './connection-registry.js';

/**
 * Has the application stand in the elections that its classes name, and leave them first of all
 * when it ends. Its module is not global, so Nest stops it before the modules that lie deeper:
 * work that is drained still finds them.
 */
@Injectable()
export class ElectionParticipation
  implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy
{
  private readonly logger = new Logger('EtcdCoordination');
  private explored: readonly ExploredElection[] = [];
  private runners: readonly TermHookRunner[] = [];
  private subscriptions: readonly Subscription[] = [];

  constructor(
    private readonly explorer: ElectionExplorer,
    private readonly registry: ConnectionRegistry,
  ) {}

  onModuleInit(): void {
    this.explored = this.explorer.explore();
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.registry.allOrNone(async () => {
      // Started before, by the registry; what lacks a lease cannot stand in an election.
      await Promise.all(this.registry.all.map((connection) => connection.start()));
      this.followTerms();
      await Promise.all(this.explored.map((explored) => this.join(explored)));
    });
  }

  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.registry.all.map((connection) => connection.leave()));
    const budgets = this.registry.all.map(({ parts }) => parts.options.shutdown.drainTimeoutMs);
    const told = Promise.all(this.runners.map((runner) => runner.idle()));
    if (!(await settledWithin(this.registry.clock, told, Math.max(0, ...budgets)))) {
      this.logger.warn('Not every @OnRevoked method has settled; going on without them.');
    }
    this.subscriptions.forEach((subscription) => subscription.unsubscribe());
  }

  private followTerms(): void {
    const followed = this.explored.flatMap(({ election, connection, participants, targets }) => {
      const { elections, client } = this.registry.get(connection, participants.join(', ')).parts;
      return targets.map((target) => ({
        runner: new TermHookRunner(target, client.clock),
        terms: elections.term$(election),
      }));
    });
    this.runners = followed.map(({ runner }) => runner);
    this.subscriptions = followed.map(({ runner, terms }) => runner.follow(terms));
  }

  /**
   * Stands in an election. The application's start waits for that for as long as a registration may
   * take, so that a process that serves is normally a candidate; when etcd is away for a moment, it
   * starts all the same and becomes one later. What cannot succeed at all fails the start.
   */
  private async join({ election, connection, participants }: ExploredElection): Promise<void> {
    const of = this.registry.get(connection, participants.join(', '));
    const { client, elections, options } = of.parts;
    const value = options.service?.address;
    const joining = elections.join(election, value === undefined ? {} : { value });
    // Without a connection, or a lease, there is nothing to wait for.
    const absent = client.isAwaited
      ? 'etcd is away'
      : of.hasStarted
        ? null
        : 'etcd has granted no lease yet';
    const budgetMs = absent === null ? options.client.timeouts.registration : 0;
    if (await settledWithin(client.clock, joining, budgetMs)) return joining;

    const why = absent ?? `etcd has not answered within ${budgetMs} ms`;
    this.logger.warn(
      `The application starts without standing in the election "${election}" (for ${participants.join(', ')}): ${why}. It joins as soon as etcd answers.`,
    );
    joining.then(
      () => this.logger.log(`Now standing in the election "${election}".`),
      (error: unknown) => {
        if (of.isLeaving) return;
        this.logger.error(
          `The application does not stand in the election "${election}": ${errorMessage(error)}`,
        );
      },
    );
  }
}

function errorMessage(error: unknown): string {
  return error instanceof EtcdCoordinationError ? error.message : String(error);
}
