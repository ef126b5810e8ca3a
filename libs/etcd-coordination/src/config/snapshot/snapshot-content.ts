import { layerPath, type ConfigLayer } from '../config-layer.js';

/** What a snapshot holds of one configuration: the documents that its last good value is made of. */
export interface SnapshotEntry {
  readonly key: string;
  /** When they were last known to be etcd's, as ISO 8601. */
  readonly savedAt: string;
  /** In merging order; none where the default was the value. */
  readonly documents: readonly SnapshotDocument[];
}

export interface SnapshotDocument {
  readonly layer: ConfigLayer;
  /** The mod revision, as a decimal. */
  readonly revision: string;
  readonly document: string;
}

/** What a snapshot holds. */
export interface SnapshotContent {
  readonly namespace: string;
  readonly service: string | null;
  /** The cluster that the revisions are of, if that is known. */
  readonly clusterId: string | null;
  readonly configurations: readonly SnapshotEntry[];
}

/** Whether it is what this version writes. */
export function isSnapshotContent(value: unknown): value is SnapshotContent {
  if (!isRecord(value)) return false;
  const { namespace, service, clusterId, configurations } = value;
  return (
    typeof namespace === 'string' &&
    isTextOrNull(service) &&
    isTextOrNull(clusterId) &&
    Array.isArray(configurations) &&
    configurations.every(isEntry)
  );
}

function isEntry(value: unknown): value is SnapshotEntry {
  if (!isRecord(value)) return false;
  const { key, savedAt, documents } = value;
  return (
    typeof key === 'string' &&
    typeof savedAt === 'string' &&
    !Number.isNaN(Date.parse(savedAt)) &&
    Array.isArray(documents) &&
    documents.every(isDocument)
  );
}

function isDocument(value: unknown): value is SnapshotDocument {
  if (!isRecord(value)) return false;
  const { layer, revision, document } = value;
  return (
    isLayer(layer) &&
    typeof revision === 'string' &&
    /^\d+$/.test(revision) &&
    typeof document === 'string'
  );
}

function isLayer(value: unknown): boolean {
  try {
    return layerPath(value as ConfigLayer).length > 0;
  } catch {
    return false;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}
