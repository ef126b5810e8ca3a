import type { IKeyValue } from 'etcd3';
import { configCandidateKey, configLayerKey, configReleaseKey } from '../client/keys.js';
import type { RawDocument } from './config-evaluator.js';
import type { ConfigIdentity } from './config-identity.js';
import { layerPath, layersFor, type ConfigLayer } from './config-layer.js';
import {
  candidateFor,
  concerns,
  digestOf,
  isUnderWay,
  readReleaseRecord,
  type ReleaseRecord,
} from './release/release-record.js';

/** What stands under a configuration, as far as it concerns this instance. */
export interface LiveState {
  /** Of the layers, in merging order. */
  readonly documents: readonly RawDocument[];
  /** The release under way that concerns this instance. */
  readonly release: { readonly id: string; readonly isCanary: boolean } | null;
  /** What this instance is to try in place of the documents. */
  readonly candidate: LiveCandidate | null;
}

/** The documents with that of a release in its layer's place. */
export interface LiveCandidate {
  readonly releaseId: string;
  readonly layer: ConfigLayer;
  /** Null if the release's document is not there, or what is there is not the release's. */
  readonly documents: readonly RawDocument[] | null;
  /** Why there are no documents, in words that follow "the release is under way, and". */
  readonly fault: string | null;
}

/** Reads what a view of a configuration's live prefix holds. */
export class LiveKeys {
  private readonly layers: readonly { layer: ConfigLayer; key: string }[];
  private readonly releaseKey: string;
  private readonly candidateKey: string;
  /** A record is parsed once. */
  private lastRecord: { entry: IKeyValue; record: ReleaseRecord | null } | null = null;

  constructor(
    namespace: string,
    config: string,
    private readonly identity: ConfigIdentity,
  ) {
    this.layers = layersFor(identity).map((layer) => ({
      layer,
      key: configLayerKey(namespace, config, layerPath(layer)),
    }));
    this.releaseKey = configReleaseKey(namespace, config);
    this.candidateKey = configCandidateKey(namespace, config);
  }

  read(entries: ReadonlyMap<string, IKeyValue>): LiveState {
    const documents = this.layers.flatMap(({ layer, key }) => {
      const entry = entries.get(key);
      return entry ? [asDocument(layer, entry)] : [];
    });
    const record = this.record(entries.get(this.releaseKey));
    const mine = candidateFor(record, this.identity);
    const release =
      isUnderWay(record) && concerns(record, this.identity)
        ? { id: record.id, isCanary: mine !== null }
        : null;
    if (!mine) return { documents, release, candidate: null };
    const { releaseId, layer, sha256 } = mine;
    const entry = entries.get(this.candidateKey);
    const refused = (fault: string): LiveState => {
      return { documents, release, candidate: { releaseId, layer, documents: null, fault } };
    };
    if (!entry) return refused('its document is not there');
    if (digestOf(entry.value) !== sha256) {
      const { mod_revision } = entry;
      return refused(
        `its document was overwritten by others at revision ${mod_revision}: it is not the one that was released`,
      );
    }
    const replaced = this.replace(documents, asDocument(layer, entry));
    return {
      documents,
      release,
      candidate: { releaseId, layer, documents: replaced, fault: null },
    };
  }

  private replace(documents: readonly RawDocument[], by: RawDocument): readonly RawDocument[] {
    return this.layers.flatMap(({ layer }) => {
      if (layer === by.layer) return [by];
      const standing = documents.find((document) => document.layer === layer);
      return standing ? [standing] : [];
    });
  }

  private record(entry: IKeyValue | undefined): ReleaseRecord | null {
    if (!entry) return null;
    if (this.lastRecord?.entry !== entry) {
      this.lastRecord = { entry, record: readReleaseRecord(entry) };
    }
    return this.lastRecord.record;
  }
}

/** Whether nothing of it has changed, revisions included. */
export function sameState(a: LiveState, b: LiveState): boolean {
  return (
    sameVersions(a.documents, b.documents) &&
    a.release?.id === b.release?.id &&
    a.release?.isCanary === b.release?.isCanary &&
    a.candidate?.releaseId === b.candidate?.releaseId &&
    a.candidate?.fault === b.candidate?.fault &&
    sameVersions(a.candidate?.documents ?? [], b.candidate?.documents ?? [])
  );
}

/** A restored database can hold another document at the same revision. */
function sameVersions(a: readonly RawDocument[], b: readonly RawDocument[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index]!;
      return (
        one.layer === other.layer &&
        one.revision === other.revision &&
        one.document.equals(other.document)
      );
    })
  );
}

function asDocument(layer: ConfigLayer, { value, mod_revision }: IKeyValue): RawDocument {
  return { layer, document: value, revision: BigInt(mod_revision) };
}
