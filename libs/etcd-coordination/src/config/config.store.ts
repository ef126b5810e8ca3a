import { EMPTY, Subject, type Observable } from 'rxjs';
import { ClientClosedError } from '../client/etcd.errors.js';
import { WatchStream } from '../watch/watch-stream.js';
import type { ConfigEntry, ConfigRejection, ConfigStatus } from './config-change.js';
import { ConfigFollower } from './config-follower.js';
import type { ConfigGround } from './config-ground.js';
import type { ConfigLayer } from './config-layer.js';
import type { ConfigOptions } from './config-options.js';
import type {
  ConfigHistoryEntry,
  ConfigPublisher,
  ConfigRevision,
  RollbackConfigOptions,
  SetConfigOptions,
  WriteConfigOptions,
} from './config-publisher.js';
import { readConfig } from './read-config.js';
import type { FollowedConfig } from './release/followed-config.js';
import type { SnapshotError } from './snapshot/snapshot.errors.js';
import type { WatchedConfig } from './watched-config.js';

/** What a store works with beside its ground. */
export interface ConfigStoreParts {
  readonly publisher: ConfigPublisher;
  /** Told of each configuration that is followed; what it returns is called when that ends. */
  readonly releases?: { follow(config: FollowedConfig): () => void };
}

/**
 * Live configuration: documents in etcd, in layers, merged for this instance, validated, and
 * swapped whole when they change. The last good value stands, whatever is pushed and whether or
 * not etcd answers.
 */
export class ConfigStore {
  /** Every push that is refused, of every configuration that this process follows. */
  readonly rejections$: Observable<ConfigRejection>;
  private readonly rejections = new Subject<ConfigRejection>();
  private readonly followers = new Map<string, ConfigFollower>();
  private closing: Promise<void> | null = null;

  constructor(
    private readonly ground: ConfigGround,
    private readonly parts: ConfigStoreParts,
  ) {
    this.rejections$ = new WatchStream(
      { label: 'what is refused of configurations' },
      (subscriber) => this.rejections.subscribe(subscriber),
    );
  }

  /** Why the snapshot is not as it should be, or null. */
  get snapshotError(): SnapshotError | null {
    return this.ground.snapshot?.error ?? null;
  }

  /**
   * Takes the snapshot's file and reads it. To be called before the first watch.
   *
   * @throws {SnapshotInUseError} if another connection of this process has the same file
   */
  async start(): Promise<void> {
    await this.ground.snapshot?.open();
  }

  /** Follows nothing any more: completes every Observable and writes the snapshot. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  /**
   * Reads a configuration from etcd, linearizably: this instance's layers, or all that there are.
   * Schema and format are those declared in this process, unless they are given; a default is
   * taken only if it is given.
   *
   * @throws {InvalidConfigNameError} for a name that none can have
   * @throws {ConfigDeclarationError} for an option that means nothing
   * @throws {ConfigInvalidError} if a document of this instance's layers is invalid
   */
  get<T = unknown>(
    key: string,
    options: ConfigOptions<T> & { readonly layers?: 'own' | 'all' } = {},
  ): Promise<ConfigEntry<T>> {
    return readConfig(this.ground, key, options);
  }

  /**
   * Follows a configuration. The same handle for the same declaration. Resolves when it is loaded.
   * If it rejects, the configuration is followed and declared all the same, until {@link close}:
   * watch it again with the same options.
   *
   * @throws as {@link follow} and {@link WatchedConfig.ready} do
   */
  async watch<T = unknown>(key: string, options?: ConfigOptions<T>): Promise<WatchedConfig<T>> {
    const watched = this.follow(key, options);
    await watched.ready();
    return watched;
  }

  /**
   * As {@link watch}, at once: the handle may not be loaded yet.
   *
   * @throws {InvalidConfigNameError} for a name that none can have
   * @throws {ConfigDeclarationError} for an option that means nothing, and for a declaration that
   *   is not the one that stands in this process
   * @throws {ClientClosedError} after {@link close}
   */
  follow<T = unknown>(key: string, options?: ConfigOptions<T>): WatchedConfig<T> {
    if (this.closing) throw new ClientClosedError(this.ground.client.options.connection);
    const declaration = this.ground.declarations.declare(key, options);
    const standing = this.followers.get(key);
    if (standing) return standing as WatchedConfig<T>;
    const follower = new ConfigFollower<T>(this.ground, declaration, {
      rejected: (rejection) => this.rejections.next(rejection),
      follow: (config) => this.parts.releases?.follow(config) ?? (() => undefined),
    });
    this.followers.set(key, follower as ConfigFollower);
    follower.start();
    return follower;
  }

  /**
   * `watch` as an Observable: the present value, once there is one, then each next one. Completes
   * with the connection; errors only with what cannot be mended, as {@link follow} throws it.
   *
   * The configuration is followed, and stays declared as it was here, until {@link close}: also
   * after the last unsubscribe.
   */
  value$<T = unknown>(key: string, options?: ConfigOptions<T>): Observable<T> {
    const label = `the configuration ${JSON.stringify(key)}`;
    return new WatchStream<T>({ label }, (subscriber) =>
      (this.closing ? EMPTY : this.follow(key, options).value$).subscribe(subscriber),
    );
  }

  /** How each followed configuration stands, in the order in which they were followed. Makes no call. */
  status(): readonly ConfigStatus[] {
    return [...this.followers.values()].map((follower) => follower.status());
  }

  /** Writes a configuration; see {@link ConfigPublisher.set}. */
  set(key: string, value: unknown, options?: SetConfigOptions): Promise<ConfigRevision> {
    return this.parts.publisher.set(key, value, options);
  }

  /** Deletes a layer's document; see {@link ConfigPublisher.delete}. */
  delete(key: string, options?: WriteConfigOptions): Promise<ConfigRevision> {
    return this.parts.publisher.delete(key, options);
  }

  /** The versions of a layer, newest first. */
  history(
    key: string,
    options?: { layer?: ConfigLayer; limit?: number },
  ): Promise<readonly ConfigHistoryEntry[]> {
    return this.parts.publisher.history(key, options);
  }

  /** Writes the document of an earlier version as the next one. */
  rollback(key: string, options: RollbackConfigOptions): Promise<ConfigRevision> {
    return this.parts.publisher.rollback(key, options);
  }

  private async shutDown(): Promise<void> {
    for (const follower of this.followers.values()) follower.close();
    this.rejections.complete();
    await this.ground.snapshot?.close();
  }
}
