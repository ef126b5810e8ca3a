import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { ConfigDifference } from './config-diff.js';
import type { ConfigLayer } from './config-layer.js';

/** Where a value comes from: etcd's documents, those of the local snapshot, or the declared default. */
export type ConfigSource = 'etcd' | 'snapshot' | 'default';

/**
 * A value has taken the place of another. It is frozen, and so are both values as far as they are
 * plain objects and arrays: all subscribers are given the same.
 */
export interface ConfigChange<T = unknown> {
  readonly key: string;
  readonly value: T;
  /** What was read until now; undefined if this is the first value. */
  readonly previous: T | undefined;
  /** What leads from `previous` to `value`, applied in this order. */
  readonly differences: readonly ConfigDifference[];
  /** The newest mod revision among the documents that make up the value; 0 if it is made of none. */
  readonly revision: bigint;
  readonly source: ConfigSource;
}

/** A push that was refused: the last good value stands. */
export interface ConfigRejection {
  readonly key: string;
  /** The layer whose document is at fault; null if none can be named alone. */
  readonly layer: ConfigLayer | null;
  /** The mod revision of what was refused; 0 if a document is missing. */
  readonly revision: bigint;
  readonly error: EtcdCoordinationError;
  readonly at: Date;
}

/** How a followed configuration stands. */
export interface ConfigStatus {
  readonly key: string;
  /** Where the value that is read now comes from; null while there is none. */
  readonly source: ConfigSource | null;
  /** The newest mod revision among the documents that make up the value; 0 if it is made of none. */
  readonly revision: bigint;
  /** Whether etcd has been read, and can still be followed. */
  readonly synced: boolean;
  /** Milliseconds since the documents were last known to be etcd's; Infinity before the first time. */
  readonly ageMs: number;
  /** What was refused last, until something good comes; null if the documents are good. */
  readonly rejected: ConfigRejection | null;
  /** The release under way that concerns this instance, and whether its document is to be used here. */
  readonly release: { readonly id: string; readonly isCanary: boolean } | null;
}

/** A configuration as etcd holds it. */
export interface ConfigEntry<T = unknown> {
  readonly key: string;
  /** The layers merged for this instance, and validated if there is a schema; undefined if there is no document and `get` was given no default. */
  readonly value: T | undefined;
  /**
   * etcd's revision when this was read, newer than whatever was written or deleted until then. Given
   * to `set` as `expectedRevision`, it refuses a layer that was changed, deleted or created since.
   */
  readonly revision: bigint;
  /** The documents that are there, in merging order. */
  readonly layers: readonly ConfigLayerEntry[];
}

/** One document of a configuration. */
export interface ConfigLayerEntry {
  readonly layer: ConfigLayer;
  /** As it was written. */
  readonly document: string;
  /** What it says; undefined if it cannot be parsed and its layer is not this instance's. */
  readonly value: unknown;
  /** The revision at which it was written. */
  readonly revision: bigint;
}
