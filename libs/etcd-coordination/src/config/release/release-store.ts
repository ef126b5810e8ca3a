import { randomUUID } from 'node:crypto';
import type { ICompare, IKeyValue, IRequestOp } from 'etcd3';
import type { EtcdClient } from '../../client/etcd-client.js';
import {
  configCandidateKey,
  configLayerKey,
  configReleaseKey,
  configReportsPrefix,
} from '../../client/keys.js';
import type { Fence } from '../../context/fence.js';
import { prefixRange } from '../../watch/key-range.js';
import { LayerHistory } from '../config-history.js';
import { layerPath, type ConfigLayer } from '../config-layer.js';
import { guardedWrite } from '../guarded-write.js';
import {
  digestOf,
  encodeReleaseRecord,
  isUnderWay,
  readReleaseRecord,
  type ReleaseRecord,
} from './release-record.js';
import { parseReleaseReport, type StandingReport } from './release-report.js';
import {
  hasTransition,
  nextRelease,
  startRelease,
  type ReleaseEvent,
  type ReleaseStart,
  type TransitionStamp,
} from './release-transitions.js';
import { ReleaseDocumentError } from './release.errors.js';

/** Where releases are kept. */
export interface ReleasePlace {
  readonly client: EtcdClient;
  readonly namespace: string;
  /** How many versions of a layer are kept. */
  readonly historyLimit?: number;
}

/** A configuration's release as etcd has it, all at one revision. */
export interface StandingRelease {
  /** Null if there is none, or none that can be read. */
  readonly record: ReleaseRecord | null;
  /** Of the record, as a decimal; `0` if there is none. */
  readonly modRevision: string;
  /** Of the release's document; `0` if there is none. */
  readonly candidateRevision: string;
  /** By instance, those on this release only. */
  readonly reports: ReadonlyMap<string, StandingReport>;
  /** Of the layer's document, if a layer was asked for; `0` if there is none. */
  readonly layerRevision: string;
}

/** A release that is there. */
export type FoundRelease = StandingRelease & { readonly record: ReleaseRecord };

/**
 * Reads and writes releases. Every write is one transaction that compares what it was decided
 * on, so it is applied once or not at all; after a lost answer the record says which, for each
 * transition enters an id of its own.
 */
export class ReleaseStore {
  constructor(private readonly place: ReleasePlace) {}

  /** Reads linearizably. */
  async read(key: string, layer: ConfigLayer | null = null): Promise<StandingRelease> {
    const { client, namespace } = this.place;
    const reports = prefixRange(configReportsPrefix(namespace, key));
    const get = (path: string) => ({ request_range: { key: Buffer.from(path) } });
    const look = (path: string) => ({
      request_range: { key: Buffer.from(path), keys_only: true },
    });
    const { responses } = await client.txn({
      compare: [],
      success: [
        get(configReleaseKey(namespace, key)),
        look(configCandidateKey(namespace, key)),
        { request_range: { key: reports.key, range_end: reports.rangeEnd! } },
        ...(layer ? [look(configLayerKey(namespace, key, layerPath(layer)))] : []),
      ],
      failure: [],
    });
    const [record, candidate, reported, document] = responses.map((r) => r.response_range.kvs);
    const standing = standingRecord(record![0]);
    return {
      ...standing,
      candidateRevision: candidate![0]?.mod_revision ?? '0',
      reports: reportsOf(standing.record?.id ?? '', reported!),
      layerRevision: document?.[0]?.mod_revision ?? '0',
    };
  }

  /**
   * Begins a release. Resolves with its record, or with null if another release was begun, or
   * the layer changed, since they were read.
   */
  async start(
    key: string,
    seen: StandingRelease,
    start: ReleaseStart,
    document: Buffer,
  ): Promise<ReleaseRecord | null> {
    const record = startRelease(start, stamp(start.author));
    const layer = this.key(configLayerKey, key, layerPath(start.layer));
    return this.write(key, seen, record, {
      compare: [isAt(layer, start.base)],
      success: [
        { request_put: { key: this.key(configCandidateKey, key), value: document } },
        this.deleteReports(key),
      ],
    });
  }

  /**
   * Makes a transition that `by` has decided on. Resolves with the record after it, or with null
   * if anything has changed since it was read, the fence's term included.
   *
   * @throws {ConfigConflictError} if the layer changed before a promotion
   * @throws {ReleaseDocumentError} if what would be promoted is not the release's document
   */
  async change(
    key: string,
    seen: FoundRelease,
    event: ReleaseEvent,
    by: string,
    fence?: Fence,
  ): Promise<ReleaseRecord | null> {
    const next = nextRelease(seen.record, event, stamp(by));
    if (!next) return null;
    const guards = fence ? [isStanding(fence)] : [];
    if (isUnderWay(next)) return this.write(key, seen, next, { compare: guards, success: [] });
    const promotion = event.type === 'promote' ? await this.promotion(key, seen) : NOTHING;
    if (!promotion) return null;
    return this.write(key, seen, next, {
      compare: [...guards, ...promotion.compare],
      success: [
        ...promotion.success,
        { request_delete_range: { key: this.key(configCandidateKey, key) } },
        this.deleteReports(key),
      ],
    });
  }

  /**
   * What makes a release's document its layer's: that very one, for it compares the revision of
   * what was seen to have the record's digest. Archives what stands there, which does no harm if
   * nothing follows.
   */
  private async promotion(
    key: string,
    { record, candidateRevision }: FoundRelease,
  ): Promise<TransactionPart | null> {
    const { client } = this.place;
    const candidate = this.key(configCandidateKey, key);
    if (candidateRevision === '0') throw new ReleaseDocumentError(key, record.id, 'was deleted');
    const [found] = (await client.range({ key: candidate })).kvs;
    if (!found || found.mod_revision !== candidateRevision) return null;
    const { layer, author, reason, format, id, base, sha256 } = record;
    if (digestOf(found.value) !== sha256) {
      throw new ReleaseDocumentError(key, id, `was overwritten at revision ${candidateRevision}`);
    }
    const history = new LayerHistory({ ...this.place, key, layer });
    const state = await history.read();
    if ((state.standing?.mod_revision ?? '0') !== base) throw history.conflict(state, BigInt(base));
    const archived = await history.archive(state);
    const note = { author, reason: reason ?? `Release ${id}.`, at: new Date(), format };
    const version = history.nextVersion(archived, found.value, note);
    return {
      compare: [...version.compare, isAt(candidate, candidateRevision)],
      success: version.success,
    };
  }

  private async write(
    key: string,
    seen: StandingRelease,
    next: ReleaseRecord,
    { compare, success }: TransactionPart,
  ): Promise<ReleaseRecord | null> {
    const release = this.key(configReleaseKey, key);
    const { succeeded, responses, refusal } = await guardedWrite(
      this.place.client,
      `a change of the release of "${key}"`,
      {
        compare: [isAt(release, seen.modRevision), ...compare],
        success: [{ request_put: { key: release, value: encodeReleaseRecord(next) } }, ...success],
        failure: [{ request_range: { key: release } }],
      },
    );
    if (succeeded) return next;
    const { record } = standingRecord(responses[0]?.response_range?.kvs[0]);
    // It was applied, and its answer lost; others may have gone on from there.
    const { id } = next.history.at(-1)!;
    if (record && hasTransition(record, id)) return record;
    if (refusal) throw refusal;
    return null;
  }

  private deleteReports(key: string): IRequestOp {
    const reports = prefixRange(configReportsPrefix(this.place.namespace, key));
    return { request_delete_range: { key: reports.key, range_end: reports.rangeEnd! } };
  }

  private key<Rest extends unknown[]>(
    of: (namespace: string, config: string, ...rest: Rest) => string,
    config: string,
    ...rest: Rest
  ): Buffer {
    return Buffer.from(of(this.place.namespace, config, ...rest));
  }
}

interface TransactionPart {
  readonly compare: readonly ICompare[];
  readonly success: readonly IRequestOp[];
}

const NOTHING: TransactionPart = { compare: [], success: [] };

/** A record as its key holds it. */
export function standingRecord(
  found: IKeyValue | undefined,
): Pick<StandingRelease, 'record' | 'modRevision'> {
  if (!found) return { record: null, modRevision: '0' };
  return { record: readReleaseRecord(found), modRevision: found.mod_revision };
}

/** The reports among what stands under their prefix that are on this release, by instance. */
export function reportsOf(
  releaseId: string,
  found: Iterable<IKeyValue>,
): ReadonlyMap<string, StandingReport> {
  const reports = [...found].flatMap(({ value, mod_revision }) => {
    const report = parseReleaseReport(value);
    return report ? [{ ...report, modRevision: mod_revision }] : [];
  });
  const own = reports.filter((report) => report.releaseId === releaseId);
  return new Map(own.map((report) => [report.instanceId, report]));
}

function stamp(by: string): TransitionStamp {
  return { id: randomUUID(), by, at: new Date() };
}

function isAt(key: Buffer, mod_revision: string): ICompare {
  return { result: 'Equal', target: 'Mod', key, mod_revision };
}

function isStanding({ key, token }: Fence): ICompare {
  const create_revision = token.toString();
  return { result: 'Equal', target: 'Create', key: Buffer.from(key), create_revision };
}
