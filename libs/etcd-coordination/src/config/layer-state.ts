import type { IKeyValue } from 'etcd3';
import type { ConfigVersion } from './config-history-record.js';

/** A layer as it stood at one revision. */
export interface LayerState {
  /** etcd's revision when it was read. */
  readonly revision: bigint;
  /** The layer's document; null if it has none. */
  readonly standing: IKeyValue | null;
  /** The newest entry of its history; null if it has none. */
  readonly newest: ConfigVersion | null;
  /** Whether the document of `newest` is in the history, and not only in the layer. */
  readonly isNewestKept: boolean;
}

/** Whether what stands, if anything, is what the history says last. */
export function isEntered({ standing, newest }: LayerState): boolean {
  if (standing === null) return newest === null || newest.deleted;
  return newest !== null && !newest.deleted && newest.revision === BigInt(standing.mod_revision);
}

/** What stands and is in no history yet, as the version that it will be. */
export function foreignVersion({
  standing,
  newest,
}: LayerState): ConfigVersion & { isCurrent: true } {
  return {
    ...{ sequence: (newest?.sequence ?? 0) + 1, id: '', enteredAt: '0', isCurrent: true },
    ...{ author: null, at: null, reason: null, format: newest?.format ?? null },
    revision: standing ? BigInt(standing.mod_revision) : null,
    deleted: standing === null,
    size: standing?.value.length ?? 0,
  };
}
