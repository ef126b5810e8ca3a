import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { systemClock, type MonotonicClock } from '../client/clock.js';
import { EtcdClient } from '../client/etcd-client.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { CoordinationConnection } from './coordination-connection.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import { DuplicateConnectionError, UnknownConnectionError } from './coordination.errors.js';
import { OPTIONS_REWRITE, type OptionsRewrite } from './coordination.tokens.js';
import { mayStartWithout, snapshotOf } from './start-without-etcd.js';

/**
 * The connections of one application. Its module is global, so Nest starts it before and stops it
 * after the application's own modules: these find a lease in their hooks from the first to the last.
 */
@Injectable()
export class ConnectionRegistry implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly names = new Set<string>();
  /** What holds something open before there is a whole connection, or when there never will be. */
  private readonly opened = new Set<{ close(): Promise<void> }>();
  private readonly connections = new Map<string, CoordinationConnection>();
  private abandoned = false;

  constructor(@Inject(OPTIONS_REWRITE) private readonly rewrite: OptionsRewrite) {}

  /** Every connection of the application, in the order in which they came about. */
  get all(): readonly CoordinationConnection[] {
    return [...this.connections.values()];
  }

  /** By which the application tells the time: that of its first connection. */
  get clock(): MonotonicClock {
    return this.all[0]?.parts.client.clock ?? systemClock;
  }

  /**
   * Takes a name for a connection with the options that `make` gives.
   *
   * @throws {DuplicateConnectionError} if it is taken; the application's start fails then
   */
  prepare(
    name: string,
    make: () => ResolvedCoordinationOptions | Promise<ResolvedCoordinationOptions>,
  ): Promise<ResolvedCoordinationOptions> {
    return this.allOrNone(async () => {
      if (this.names.has(name)) throw new DuplicateConnectionError(name);
      this.names.add(name);
      return this.rewrite(await make());
    });
  }

  /**
   * Reads what an earlier run has kept, if it is to keep anything.
   *
   * @throws {SnapshotInUseError} if another connection keeps it in the same file
   */
  openSnapshot(options: ResolvedCoordinationOptions): Promise<ConfigSnapshot | null> {
    return this.allOrNone(async () => {
      const snapshot = snapshotOf(options, options.clock ?? systemClock);
      if (!snapshot) return null;
      this.opened.add(snapshot);
      await snapshot.open();
      return snapshot;
    });
  }

  /**
   * Connects. If this or another connection cannot be made, none is left open. While etcd is away
   * a snapshot that holds configurations, or instances, is enough.
   */
  connect(
    options: ResolvedCoordinationOptions,
    snapshot: ConfigSnapshot | null,
  ): Promise<EtcdClient> {
    return this.allOrNone(async () => {
      const client = await EtcdClient.connect(options.client, {
        ...(options.clock && { clock: options.clock }),
        startWithout: (error) => mayStartWithout(options, snapshot, error),
      });
      this.opened.add(client);
      // Another one has failed meanwhile, and nobody will use this one.
      if (this.abandoned) await this.abandon();
      return client;
    });
  }

  add(connection: CoordinationConnection): void {
    this.connections.set(connection.name, connection);
  }

  /** @throws {UnknownConnectionError} naming who asked and what there is */
  get(name: string, asker: string): CoordinationConnection {
    const connection = this.connections.get(name);
    if (!connection) throw new UnknownConnectionError(name, asker, [...this.connections.keys()]);
    return connection;
  }

  /** The application does not come up: closes what has been opened, and what yet will be, so that the process can exit. */
  async abandon(): Promise<void> {
    this.abandoned = true;
    await Promise.all(this.all.map((connection) => connection.close()));
    await Promise.all([...this.opened].map((part) => part.close()));
  }

  /** Runs a step of the start; if it fails, so does the start, and nothing stays open. */
  async allOrNone<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run();
    } catch (error) {
      await this.abandon();
      throw error;
    }
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.allOrNone(() => Promise.all(this.all.map((connection) => connection.start())));
  }

  async onApplicationShutdown(): Promise<void> {
    await Promise.all(this.all.map((connection) => connection.close()));
  }
}
