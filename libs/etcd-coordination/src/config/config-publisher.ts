import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { EtcdClient } from '../client/etcd-client.js';
import { RequestTooLargeError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
import { formatReady, parseDocument, writeDocument } from './config-document.js';
import { LayerHistory, MAX_DOCUMENT_BYTES, type LayerState } from './config-history.js';
import type { ConfigIdentity } from './config-identity.js';
import type { ConfigLayer } from './config-layer.js';
import { mergeDocuments } from './config-merge.js';
import { assertConfigName } from './config-name.js';
import type { ConfigDeclaration, ConfigFormat } from './config-options.js';
import { SCHEMA_TIMEOUT_MS, validateConfig } from './config-schema.js';
import { assertCount, assertWrite } from './config-write-checks.js';
import { ConfigLayerMissingError, ConfigTooLargeError, type ConfigPlace } from './config.errors.js';
import { guardedWrite } from './guarded-write.js';
import { layersReadWith, readLayers } from './layers-beside.js';

/** What whoever writes a configuration may say about it. */
export interface WriteConfigOptions {
  /** Which document is written. Default `shared`. */
  readonly layer?: ConfigLayer;
  /**
   * The newest revision that the writer knows of, such as `revision` of what `get` gave: the
   * write is refused if the layer was changed, deleted or created after it. `0n`: the layer must not exist. Left out,
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

/** A document that may be written: it can be read, it is small enough, and its schema accepts what it makes. */
export interface CheckedDocument {
  readonly document: Buffer;
  readonly format: ConfigFormat;
  /** The layer as it stood when that was checked. */
  readonly state: LayerState;
}

/** What becomes of a layer: a document, or none any more. */
type NextDocument = Pick<CheckedDocument, 'state'> & {
  readonly document: Buffer | null;
  readonly format: ConfigFormat | null;
};

/**
 * Writes configurations: each write is validated first, guarded by what it expects, and kept in
 * the history of its layer. A write that rejects has changed nothing, unless it rejects with
 * WriteOutcomeUnknownError.
 */
export class ConfigPublisher {
  constructor(private readonly settings: PublisherSettings) {}

  /**
   * Makes `value` a layer's document, written in the format. A text is a value like any other,
   * not a document: that is {@link setDocument}.
   *
   * In etcd: what stands goes into the history, then one transaction puts the document and its
   * entry in the history, and deletes what is older than the history's limit.
   *
   * @throws {ConfigInvalidError} if the format cannot say the value, or the schema (given, or
   *   declared in this process) refuses what it makes together with the other layers
   * @throws {ConfigTooLargeError} if the document does not fit into a request of etcd
   * @throws {ConfigConflictError} if the layer changed after `expectedRevision`, or meanwhile
   * @throws {WriteOutcomeUnknownError} if every answer of etcd was lost
   */
  async set(key: string, value: unknown, options: SetConfigOptions = {}): Promise<ConfigRevision> {
    return this.write(key, await this.prepare(key, value, options), options);
  }

  /** As {@link set}, with a document that is written already: its comments stay. */
  async setDocument(
    key: string,
    document: string | Buffer,
    options: SetConfigOptions = {},
  ): Promise<ConfigRevision> {
    return this.write(key, await this.prepareDocument(key, document, options), options);
  }

  /**
   * Deletes a layer's document; what the other layers say is the value then.
   *
   * @throws {ConfigLayerMissingError} if there is none
   * @throws {ConfigInvalidError} if the schema declared in this process refuses what is left;
   *   nothing being left is no fault
   * @throws {ConfigConflictError} and others as {@link set} does
   */
  async delete(key: string, options: WriteConfigOptions = {}): Promise<ConfigRevision> {
    assertWrite(key, options);
    const { layer = 'shared' } = options;
    const history = this.historyOf(key, layer);
    const state = await history.read();
    await history.assertExpected(state, options.expectedRevision);
    if (state.standing === null) throw new ConfigLayerMissingError(key, layer);
    const declared = this.settings.declared?.(key);
    if (declared?.schema) await this.validate(declared.schema, key, layer, declared.format, null);
    const format = state.newest?.format ?? null;
    return this.write(key, { document: null, format, state }, options);
  }

  /**
   * The versions of a layer, newest first, and no more than `limit`.
   *
   * @throws {InvalidConfigWriteError} if `limit` is no count
   */
  async history(
    key: string,
    { layer = 'shared', limit }: { layer?: ConfigLayer; limit?: number } = {},
  ): Promise<readonly ConfigHistoryEntry[]> {
    assertConfigName(key);
    if (limit !== undefined) assertCount(key, 'limit', limit);
    const versions = await this.historyOf(key, layer).list(limit);
    return versions.map(({ document, isCurrent, ...version }) => ({
      sequence: version.sequence,
      layer,
      revision: version.revision,
      author: version.author,
      at: version.at,
      reason: version.reason,
      deleted: version.deleted,
      document: document?.toString() ?? null,
      current: isCurrent,
    }));
  }

  /**
   * Writes the document of an earlier version as the next one, validated as {@link set} would
   * today. Its reason is "rollback to N", followed by the one given.
   *
   * @throws {ConfigVersionError} if there is no document of that version (any more)
   * @throws {ConfigInvalidError} and others as {@link set} does
   */
  async rollback(key: string, options: RollbackConfigOptions): Promise<ConfigRevision> {
    assertWrite(key, options);
    assertCount(key, 'to', options.to);
    const { layer, to } = options;
    const { version, document, state } = await this.historyOf(key, layer).pick(to);
    const format = this.knownFormat(key, options) ?? version.format ?? 'json';
    const documentAsWas = () => Promise.resolve(document);
    const checked = await this.check(key, { ...options, format }, documentAsWas, state);
    const why = `rollback to ${to}`;
    const reason = options.reason === undefined ? why : `${why}: ${options.reason}`;
    return this.write(key, checked, { ...options, reason });
  }

  /** Checks a value as {@link set} does, and writes nothing. */
  async prepare(
    key: string,
    value: unknown,
    options: SetConfigOptions = {},
  ): Promise<CheckedDocument> {
    assertWrite(key, options);
    const place = { key, layer: options.layer ?? 'shared', revision: null };
    return this.check(key, options, (format) => writeDocument(value, format, place));
  }

  /** Checks a document as {@link setDocument} does, and writes nothing. */
  async prepareDocument(
    key: string,
    document: string | Buffer,
    options: SetConfigOptions = {},
  ): Promise<CheckedDocument> {
    assertWrite(key, options);
    return this.check(key, options, () => Promise.resolve(Buffer.from(document)));
  }

  /** What can be refused without etcd is refused before it is asked anything. */
  private async check(
    key: string,
    options: SetConfigOptions,
    documentIn: (format: ConfigFormat) => Promise<Buffer>,
    read?: LayerState,
  ): Promise<CheckedDocument> {
    const { layer = 'shared', schema = this.settings.declared?.(key)?.schema } = options;
    const place = { key, layer, revision: null };
    const history = this.historyOf(key, layer);
    const known = this.knownFormat(key, options);
    let document = await documentIn(known ?? 'json');
    assertFits(key, layer, document);
    if (known) await parsed(document, known, place);

    const state = read ?? (await history.read());
    // Whoever does not know how a layer is written goes on as it was written last.
    const format = known ?? state.newest?.format ?? 'json';
    if (!known && format !== 'json') document = await documentIn(format);
    assertFits(key, layer, document);
    const value = await parsed(document, format, place);
    if (schema) await this.validate(schema, key, layer, format, { value });
    await history.assertExpected(state, options.expectedRevision);
    return { document, format, state };
  }

  /** @throws {ConfigConflictError} if the layer is not as it was when it was read */
  private async write(
    key: string,
    { document, format, state }: NextDocument,
    options: WriteConfigOptions,
  ): Promise<ConfigRevision> {
    const { client, identity, now = () => new Date() } = this.settings;
    const { layer = 'shared', author = identity.instanceId, reason = null } = options;
    const history = this.historyOf(key, layer);
    const next = history.nextVersion(await history.archive(state), document, {
      ...{ author, reason, format },
      at: now(),
    });
    const { sequence, compare, success, failure } = next;
    const what = `the write of the layer "${layer}" of the configuration "${key}"`;
    try {
      const answer = await guardedWrite(client, what, { compare, success, failure: [failure] });
      const revision = answer.succeeded
        ? BigInt(answer.header.revision)
        : next.appliedAt(answer.responses[0]);
      if (revision !== null) return { key, layer, revision, sequence };
      if (answer.refusal) throw answer.refusal;
      const found = await history.read();
      if (answer.repeated && (found.newest?.sequence ?? 0) > sequence) {
        throw new WriteOutcomeUnknownError(what, 'and its mark may be pruned from the history');
      }
      const expected = options.expectedRevision ?? BigInt(state.standing?.mod_revision ?? 0);
      throw history.conflict(found, expected);
    } catch (error) {
      if (!(error instanceof RequestTooLargeError) || document === null) throw error;
      throw ConfigTooLargeError.written(key, layer, document.length, MAX_DOCUMENT_BYTES, error);
    }
  }

  /** Whether the schema accepts what a reader of `layer` will get; nothing at all is no fault. */
  private async validate(
    schema: StandardSchemaV1,
    key: string,
    layer: ConfigLayer,
    format: ConfigFormat,
    own: { readonly value: unknown } | null,
  ): Promise<void> {
    const { client, namespace, identity } = this.settings;
    const layers = layersReadWith(identity, layer);
    const others = layers.filter((other) => other !== layer);
    const values = await readLayers({ client, namespace, key, format }, others);
    if (own) values.set(layer, own.value);
    if (values.size === 0) return;
    const inOrder = layers.filter((other) => values.has(other)).map((other) => values.get(other));
    const place = { key, layer, revision: null };
    const merged = mergeDocuments(inOrder);
    await validateConfig(schema, merged, () => place, SCHEMA_TIMEOUT_MS, client.clock);
  }

  private knownFormat(key: string, { format }: SetConfigOptions): ConfigFormat | undefined {
    return format ?? this.settings.declared?.(key)?.format;
  }

  /** @throws {InvalidConfigLayerError} if there is no such layer */
  private historyOf(key: string, layer: ConfigLayer = 'shared'): LayerHistory {
    const { client, namespace, historyLimit } = this.settings;
    return new LayerHistory({
      ...{ client, namespace, key, layer },
      ...(historyLimit !== undefined && { historyLimit }),
    });
  }
}

/** What a document says, once its format can be read. */
async function parsed(document: Buffer, format: ConfigFormat, place: ConfigPlace) {
  await formatReady(format);
  return parseDocument(document, format, place);
}

function assertFits(key: string, layer: ConfigLayer, { length }: Buffer): void {
  if (length <= MAX_DOCUMENT_BYTES) return;
  throw ConfigTooLargeError.written(key, layer, length, MAX_DOCUMENT_BYTES);
}
