import type { Observable } from 'rxjs';
import type { ConfigEntry, ConfigRejection, ConfigStatus } from './config-change.js';
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
  readonly rejections$!: Observable<ConfigRejection>;

  constructor(
    private readonly ground: ConfigGround,
    private readonly parts: ConfigStoreParts,
  ) {}

  /** Why the snapshot is not as it should be, or null. */
  get snapshotError(): SnapshotError | null {
    throw new Error('TODO');
  }

  /**
   * Takes the snapshot's file and reads it. To be called once, before the first watch.
   *
   * @throws {SnapshotInUseError} if another connection of this process has the same file
   */
  start(): Promise<void> {
    throw new Error(`TODO ${String(this.ground)}`);
  }

  /** Follows nothing any more: writes the snapshot and completes every Observable. Never rejects. */
  close(): Promise<void> {
    throw new Error('TODO');
  }

  /** Reads a configuration from etcd, linearizably: this instance's layers, or all that there are. */
  get<T = unknown>(
    key: string,
    options?: ConfigOptions<T> & { readonly layers?: 'own' | 'all' },
  ): Promise<ConfigEntry<T>> {
    throw new Error(`TODO ${key} ${String(options)}`);
  }

  /** Follows a configuration. The same handle for the same declaration. Resolves when it is loaded. */
  watch<T = unknown>(key: string, options?: ConfigOptions<T>): Promise<WatchedConfig<T>> {
    throw new Error(`TODO ${key} ${String(options)}`);
  }

  /** As {@link watch}, at once: the handle may not be loaded yet. */
  follow<T = unknown>(key: string, options?: ConfigOptions<T>): WatchedConfig<T> {
    throw new Error(`TODO ${key} ${String(options)}`);
  }

  /**
   * `watch` as an Observable: the present value, once there is one, then each next one. Completes
   * with the connection; errors only with what cannot be mended.
   */
  value$<T = unknown>(key: string, options?: ConfigOptions<T>): Observable<T> {
    throw new Error(`TODO ${key} ${String(options)}`);
  }

  /** How each followed configuration stands, in the order in which they were followed. Makes no call. */
  status(): readonly ConfigStatus[] {
    throw new Error('TODO');
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
}
