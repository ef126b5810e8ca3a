import type { EtcdClient } from '../client/etcd-client.js';
import { RevisionCompactedError } from '../client/etcd.errors.js';
import type { ConfigVersion } from './config-history-record.js';
import type { LayerKeys } from './layer-keys.js';
import type { LayerState } from './layer-state.js';

/** How much of documents is asked for at once. */
const PAGE_BYTES = 4 * 1024 * 1024;
const PAGE_DOCUMENTS = 100;

/** Finds the documents that a layer had. */
export class LayerDocuments {
  constructor(
    private readonly client: EtcdClient,
    private readonly keys: LayerKeys,
  ) {}

  /**
   * The documents of versions, from the history or, for what somebody has written over past
   * this library, from etcd's own past as long as that is not compacted.
   */
  async read(
    wanted: readonly ConfigVersion[],
    kept: ReadonlySet<number>,
  ): Promise<Map<number, Buffer>> {
    const found = new Map<number, Buffer>();
    const documents = wanted.filter(({ deleted }) => !deleted);
    for (const page of pages(documents.filter(({ sequence }) => kept.has(sequence)))) {
      const { responses } = await this.client.txn({
        compare: [],
        success: page.map(({ sequence }) => ({
          request_range: { key: this.keys.documents.of(sequence) },
        })),
        failure: [],
      });
      responses.forEach(({ response_range }, index) => {
        const [document] = response_range?.kvs ?? [];
        if (document) found.set(page[index]!.sequence, document.value);
      });
    }
    for (const { sequence, revision } of documents) {
      const document = found.has(sequence) ? null : await this.readPast(revision);
      if (document) found.set(sequence, document);
    }
    return found;
  }

  /** The document that was written at that revision, if etcd still knows it. */
  async readPast(revision: bigint | null): Promise<Buffer | null> {
    if (revision === null) return null;
    try {
      const request = { key: this.keys.layer, revision: revision.toString() };
      const [found] = (await this.client.range(request)).kvs;
      return found?.mod_revision === request.revision ? found.value : null;
    } catch (error) {
      if (error instanceof RevisionCompactedError) return null;
      throw error;
    }
  }

  /** Whether a layer without a document had none at that revision either; false if that is not known. */
  async wasGoneBy(revision: bigint, { newest }: LayerState): Promise<boolean> {
    if (newest?.deleted && newest.revision !== null) return newest.revision <= revision;
    try {
      const request = { key: this.keys.layer, revision: revision.toString(), count_only: true };
      return (await this.client.range(request)).count === '0';
    } catch (error) {
      if (error instanceof RevisionCompactedError) return false;
      throw error;
    }
  }
}

/** Parts that are no larger than a few documents, so that one answer is never a whole history. */
function pages(versions: readonly ConfigVersion[]): ConfigVersion[][] {
  const parts: ConfigVersion[][] = [];
  let bytes = Infinity;
  for (const version of versions) {
    bytes += version.size;
    if (bytes > PAGE_BYTES || parts.at(-1)!.length === PAGE_DOCUMENTS) {
      parts.push([]);
      bytes = version.size;
    }
    parts.at(-1)!.push(version);
  }
  return parts;
}
