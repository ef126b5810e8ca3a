import type { ICompare, IRequestOp, ITxnResponse } from 'etcd3';
import type { EtcdClient } from '../client/etcd-client.js';
import { RequestTooLargeError } from '../client/etcd.errors.js';
import {
  decodeVersion,
  encodeForeignVersion,
  encodeVersion,
  type ConfigVersion,
  type VersionNote,
} from './config-history-record.js';
import type { ConfigLayer } from './config-layer.js';
import {
  ConfigConflictError,
  ConfigTooLargeError,
  ConfigVersionError,
  InvalidConfigWriteError,
  type VersionFault,
} from './config.errors.js';
import { LayerDocuments } from './layer-documents.js';
import { LayerKeys } from './layer-keys.js';
import { foreignVersion, isEntered, type LayerState } from './layer-state.js';

export type { LayerState } from './layer-state.js';

/** How many versions of a layer are kept unless something else is asked for. */
export const DEFAULT_HISTORY_LIMIT = 50;

/** The longest document, in bytes: with what is around it, it fits into a request of etcd's 1.5 MiB. */
export const MAX_DOCUMENT_BYTES = 1.5 * 1024 * 1024 - 16 * 1024;

/** Somebody else may enter the same stranger's write at the same time; then it is entered. */
const ENTERING_ATTEMPTS = 5;

/** Which layer's history, and where. */
export interface LayerPlace {
  readonly client: EtcdClient;
  readonly namespace: string;
  readonly key: string;
  readonly layer: ConfigLayer;
  /** How many versions are kept. Default 50. */
  readonly historyLimit?: number;
}

declare const archived: unique symbol;
/** A layer whose standing document is in its history, so that the next one may take its place. */
export type ArchivedLayer = LayerState & { readonly [archived]: true };

/**
 * The part of a transaction that makes a document the layer's next version. Its comparisons hold
 * as long as nothing has changed since the layer was read, and never again once it was applied.
 */
export interface NextVersion {
  readonly sequence: number;
  readonly compare: ICompare[];
  readonly success: IRequestOp[];
  /** Reads the mark of whatever version has this one's number, if there is one. */
  readonly failure: IRequestOp;
  /**
   * The revision at which it was applied: to be asked with the answer to `failure`, if a
   * transaction that was sent more than once failed. Null if that was not by its own doing.
   */
  appliedAt(answer: ITxnResponse['responses'][number] | undefined): bigint | null;
}

/** A version with its document. */
export interface KeptVersion extends ConfigVersion {
  /** Null if it was deleted, or is no longer to be had. */
  readonly document: Buffer | null;
  readonly isCurrent: boolean;
}

/**
 * One layer and its versions. A document is the layer's key itself, as `etcdctl put` would write
 * it, and goes into the history just before another takes its place: so each request holds one
 * document at most. What is written past this library is entered in the history, as a version of
 * nobody, by whoever writes next.
 */
export class LayerHistory {
  private readonly keys: LayerKeys;
  private readonly documents: LayerDocuments;

  /** @throws {InvalidConfigLayerError} if there is no such layer */
  constructor(private readonly place: LayerPlace) {
    this.keys = new LayerKeys(place.namespace, place.key, place.layer);
    this.documents = new LayerDocuments(place.client, this.keys);
  }

  /** The layer as it stands, at one revision. */
  async read(): Promise<LayerState> {
    const { state } = await this.readAll();
    return state;
  }

  /**
   * Puts what stands into the history, whoever wrote it, so that another version may follow.
   * Changes nothing that anybody reads, so it does no harm if nothing follows.
   *
   * @throws {ConfigConflictError} if the layer changes meanwhile
   * @throws {ConfigTooLargeError} if what stands, written past this library, is too large
   */
  async archive(state: LayerState): Promise<ArchivedLayer> {
    for (let attempt = 0; attempt < ENTERING_ATTEMPTS && !isEntered(state); attempt++) {
      await this.enterForeign(state);
      const now = await this.read();
      if (now.standing?.mod_revision !== state.standing?.mod_revision) {
        throw this.conflict(now, BigInt(state.standing?.mod_revision ?? 0));
      }
      state = now;
    }
    if (!isEntered(state)) throw this.conflict(state, BigInt(state.standing?.mod_revision ?? 0));
    const { standing, newest, isNewestKept } = state;
    // Guarded by what the version is guarded by: if it does not hold, the version is refused.
    if (standing && newest && !isNewestKept) {
      await this.keep(newest.sequence, standing.value, this.unchanged(state));
    }
    return state as ArchivedLayer;
  }

  /** What makes `document` the next version, or no document if it is null. */
  nextVersion(state: ArchivedLayer, document: Buffer | null, note: VersionNote): NextVersion {
    const sequence = (state.newest?.sequence ?? 0) + 1;
    const key = this.keys.versions.of(sequence);
    const replaced = state.standing?.mod_revision ?? '0';
    const { id, value } = encodeVersion(sequence, document, replaced, note);
    return {
      sequence,
      compare: [...this.unchanged(state), isAbsent(key)],
      success: [
        document === null
          ? { request_delete_range: { key: this.keys.layer } }
          : { request_put: { key: this.keys.layer, value: document } },
        { request_put: { key, value } },
        ...this.prune(sequence),
      ],
      failure: { request_range: { key } },
      appliedAt: (answer) => {
        const [found] = answer?.response_range?.kvs ?? [];
        const isOwn = found !== undefined && decodeVersion(sequence, found).id === id;
        return isOwn ? BigInt(found.create_revision) : null;
      },
    };
  }

  /** The versions, newest first, with what stands now if somebody wrote it past this library. */
  async list(limit = Infinity): Promise<KeptVersion[]> {
    const { state, entries, kept } = await this.readAll(Number.isFinite(limit) ? limit : 0);
    const { standing } = state;
    const known = entries.map((entry, index) => ({
      ...entry,
      isCurrent: index === 0 && isEntered(state),
    }));
    const foreign = isEntered(state) ? [] : [foreignVersion(state)];
    const listed = [...foreign, ...known].slice(0, limit);
    const past = listed.filter((version) => !version.isCurrent);
    const found = await this.documents.read(past, kept);
    return listed.map((version) => ({
      ...version,
      document: (version.isCurrent ? standing?.value : found.get(version.sequence)) ?? null,
    }));
  }

  /**
   * A version that is not the present one, with its document.
   *
   * @throws {ConfigVersionError} if there is none, naming those that there are
   */
  async pick(sequence: number): Promise<PickedVersion> {
    const { state, entries, kept } = await this.readAll(0);
    const versions = isEntered(state) ? entries : [foreignVersion(state), ...entries];
    const [present, ...past] = versions;
    const version = past.find((v) => v.sequence === sequence);
    const document = version && (await this.documents.read([version], kept)).get(sequence);
    if (version && document) return { version, document, state };
    const oldest = versions.at(-1)?.sequence ?? 0;
    const { key, layer } = this.place;
    throw new ConfigVersionError(
      ...([key, layer, sequence] as const),
      faultOf(sequence, present, version, oldest),
      past
        .filter((v) => kept.has(v.sequence) && !v.deleted)
        .map((v) => v.sequence)
        .reverse(),
    );
  }

  /**
   * Refuses a layer that changed after a revision: one that stands may be as old as it likes, one
   * that does not must have been gone by then. `0n` is for a layer that must not exist.
   *
   * @throws {ConfigConflictError} naming who changed it
   * @throws {InvalidConfigWriteError} if etcd has not come to that revision yet
   */
  async assertExpected(state: LayerState, expected: bigint | undefined): Promise<void> {
    if (expected === undefined) return;
    const { key } = this.place;
    if (expected > state.revision) {
      throw new InvalidConfigWriteError(
        key,
        `expects revision ${expected}, but etcd has only come to ${state.revision}: it was read from another etcd, or before this one was set back; read it anew`,
      );
    }
    const { standing } = state;
    const asExpected = standing
      ? BigInt(standing.mod_revision) <= expected && expected !== 0n
      : expected === 0n || (await this.documents.wasGoneBy(expected, state));
    if (!asExpected) throw this.conflict(state, expected);
  }

  /** The error for a layer that is not as a writer expected it, naming who changed it. */
  conflict(now: LayerState, expected: bigint): ConfigConflictError {
    const { key, layer } = this.place;
    const { standing, newest } = now;
    const by = isEntered(now) ? newest : null;
    return new ConfigConflictError({
      key,
      layer,
      expected,
      revision: standing ? BigInt(standing.mod_revision) : (by?.revision ?? null),
      deleted: standing === null,
      author: by?.author ?? null,
      at: by?.at ?? null,
      reason: by?.reason ?? null,
    });
  }

  private async readAll(
    limit = 1,
  ): Promise<{ state: LayerState; entries: ConfigVersion[]; kept: ReadonlySet<number> }> {
    const { header, responses } = await this.place.client.txn({
      compare: [],
      success: [
        { request_range: { key: this.keys.layer } },
        { request_range: { ...this.keys.versions.all, ...NEWEST_FIRST, limit } },
        { request_range: { ...this.keys.documents.all, ...NEWEST_FIRST, keys_only: true } },
      ],
      failure: [],
    });
    const [layer, versions, documents] = responses.map((r) => r.response_range.kvs);
    const entries = versions!.flatMap((kv) => {
      const sequence = this.keys.versions.sequenceOf(kv);
      return sequence === null ? [] : [decodeVersion(sequence, kv)];
    });
    // Something else than versions stands there, and would hide them.
    if (limit > 0 && entries.length < versions!.length) return this.readAll(0);
    const kept = new Set(documents!.map((kv) => this.keys.documents.sequenceOf(kv) ?? 0));
    const newest = entries[0] ?? null;
    const state = {
      revision: BigInt(header.revision),
      standing: layer![0] ?? null,
      newest,
      isNewestKept: newest !== null && kept.has(newest.sequence),
    };
    return { state, entries, kept };
  }

  /** Enters what somebody has written past this library, unless that is done or the layer has changed. */
  private async enterForeign(state: LayerState): Promise<void> {
    const { standing, newest } = state;
    const unchanged = this.unchanged(state);
    if (newest && !newest.deleted && !state.isNewestKept) {
      const lost = await this.documents.readPast(newest.revision);
      if (lost) await this.keep(newest.sequence, lost, unchanged);
    }
    const sequence = (newest?.sequence ?? 0) + 1;
    const key = this.keys.versions.of(sequence);
    const replaced = newest?.deleted === false ? (newest.revision?.toString() ?? '0') : '0';
    const entry = { key, value: encodeForeignVersion(sequence, state, replaced) };
    const entered = { request_put: entry };
    if (standing) {
      await this.keep(sequence, standing.value, [...unchanged, isAbsent(key)], [entered]);
      return;
    }
    await this.place.client.txn(
      { compare: [...unchanged, isAbsent(key)], success: [entered], failure: [] },
      { repeatable: true },
    );
  }

  /** Puts a version's document into the history. */
  private async keep(
    sequence: number,
    document: Buffer,
    compare: ICompare[],
    besides: IRequestOp[] = [],
  ): Promise<void> {
    const put = { request_put: { key: this.keys.documents.of(sequence), value: document } };
    try {
      await this.place.client.txn(
        { compare, success: [put, ...besides], failure: [] },
        { repeatable: true },
      );
    } catch (error) {
      if (!(error instanceof RequestTooLargeError)) throw error;
      const { key, layer } = this.place;
      throw ConfigTooLargeError.standing(key, layer, document.length, error);
    }
  }

  /** That the layer and its history are as they were read. */
  private unchanged({ standing, newest }: LayerState): ICompare[] {
    const stands = { result: 'Equal', target: 'Mod', key: this.keys.layer } as const;
    const same: ICompare[] = [{ ...stands, mod_revision: standing?.mod_revision ?? '0' }];
    if (newest === null) return same;
    const key = this.keys.versions.of(newest.sequence);
    const { enteredAt } = newest;
    return [...same, { result: 'Equal', target: 'Create', key, create_revision: enteredAt }];
  }

  /** Deletes what is older than the versions that are kept once `sequence` is the newest. */
  private prune(sequence: number): IRequestOp[] {
    const oldest = sequence - (this.place.historyLimit ?? DEFAULT_HISTORY_LIMIT) + 1;
    if (oldest <= 1) return [];
    const { versions, documents } = this.keys;
    return [versions, documents].map((keys) => ({ request_delete_range: keys.before(oldest) }));
  }
}

/** A past version that there is a document of, and the layer when that was looked for. */
export interface PickedVersion {
  readonly version: ConfigVersion;
  readonly document: Buffer;
  readonly state: LayerState;
}

const NEWEST_FIRST = { sort_target: 'Key', sort_order: 'Descend' } as const;

function isAbsent(key: Buffer): ICompare {
  return { result: 'Equal', target: 'Create', key, create_revision: '0' };
}

function faultOf(
  sequence: number,
  present: ConfigVersion | undefined,
  version: ConfigVersion | undefined,
  oldest: number,
): VersionFault {
  if (present?.sequence === sequence) return present.deleted ? 'deleted' : 'current';
  if (version) return version.deleted ? 'deleted' : 'lost';
  return sequence < oldest ? 'pruned' : 'unknown';
}
