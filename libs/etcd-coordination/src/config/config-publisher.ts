import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EtcdClient } from '../client/etcd-client.js';
import type { ConfigIdentity } from './config-identity.js';
import type { ConfigLayer } from './config-layer.js';
import type { ConfigDeclaration, ConfigFormat } from './config-options.js';

/** What whoever writes a configuration may say about it. */
export interface WriteConfigOptions {
  /** Which document is written. Default `shared`. */
  readonly layer?: ConfigLayer;
  /**
   * The newest revision that the writer knows of, such as `revision` of what `get` gave: the
   * write is refused if the layer changed after it. `0n`: the layer must not exist. Left out,
   * whatever changes while this call is under way is a conflict.
   */
  readonly expectedRevision?: bigint;
  /** Who writes, for the history. Default: the id of this instance. */
  readonly author?: string;
  /** Why, for the history. */
  readonly reason?: string;
}

/** How a configuration is set. */
export interface SetConfigOptions extends WriteConfigOptions {
  /** How the document is written. Default: as the key is declared in this process, else `json`. */
  readonly format?: ConfigFormat;
  /** What the merged value must be. Default: the schema declared for the key in this process. */
  readonly schema?: StandardSchemaV1;
}

/** How a configuration is set back. */
export interface RollbackConfigOptions extends SetConfigOptions {
  /** The version whose document is to stand again, by its sequence in the history. */
  readonly to: number;
}

/** A version that was written. */
export interface ConfigRevision {
  readonly key: string;
  readonly layer: ConfigLayer;
  /** etcd's revision of the write: `expectedRevision` of a next one. */
  readonly revision: bigint;
  /** The version's number in the history of its layer, from 1, without gaps. */
  readonly sequence: number;
}

/** One version of one layer. */
export interface ConfigHistoryEntry {
  readonly sequence: number;
  readonly layer: ConfigLayer;
  /** etcd's revision of the write; null for what was deleted past this library. */
  readonly revision: bigint | null;
  /** Null for what was written past this library, as by etcdctl. */
  readonly author: string | null;
  /** By the author's clock; the order is that of the sequence. Null as {@link author}. */
  readonly at: Date | null;
  readonly reason: string | null;
  /** The version is that there is no document. */
  readonly deleted: boolean;
  /** Null if the version deleted it, or if it is no longer to be had. */
  readonly document: string | null;
  /** It is what stands now. */
  readonly current: boolean;
}

/** What a publisher works on, and for whom. */
export interface PublisherSettings {
  readonly client: EtcdClient;
  readonly namespace: string;
  /** Whose layers a value is merged of before it is validated; its `instanceId` is the default author. */
  readonly identity: ConfigIdentity;
  /** What this process has declared of a configuration, if anything. */
  readonly declared?: (key: string) => ConfigDeclaration | undefined;
  /** How many versions of a layer are kept. Default 50. */
  readonly historyLimit?: number;
  /** The wall clock, for the history. */
  readonly now?: () => Date;
}

/** Writes configurations: each write validated first, guarded, and kept in its layer's history. */
export class ConfigPublisher {
  constructor(private readonly settings: PublisherSettings) {}

  /** Makes `value` the layer's document, written in the format. A text is a value too, not a document. */
  set(key: string, value: unknown, options: SetConfigOptions = {}): Promise<ConfigRevision> {
    return Promise.reject(new Error(`TODO ${key} ${String(value)} ${String(options.layer)}`));
  }

  /** As {@link set}, with a document that is written already: comments in YAML stay. */
  setDocument(
    key: string,
    document: string,
    options: SetConfigOptions = {},
  ): Promise<ConfigRevision> {
    return Promise.reject(new Error(`TODO ${key} ${document} ${String(options.layer)}`));
  }

  /** Deletes the layer's document. What is left of the other layers is the value. */
  delete(key: string, options: WriteConfigOptions = {}): Promise<ConfigRevision> {
    return Promise.reject(new Error(`TODO ${key} ${String(options.layer)}`));
  }

  /** The versions of a layer, newest first. */
  history(
    key: string,
    options: { layer?: ConfigLayer; limit?: number } = {},
  ): Promise<readonly ConfigHistoryEntry[]> {
    return Promise.reject(new Error(`TODO ${key} ${String(options.layer)}`));
  }

  /** Writes the document of an earlier version as the next one. */
  rollback(key: string, options: RollbackConfigOptions): Promise<ConfigRevision> {
    return Promise.reject(new Error(`TODO ${key} ${String(this.settings)} ${options.to}`));
  }
}
