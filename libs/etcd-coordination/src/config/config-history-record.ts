import { createHash, randomUUID } from 'node:crypto';
import type { IKeyValue } from 'etcd3';
import type { ConfigFormat } from './config-options.js';

/** What is known of a version besides its document. */
export interface ConfigVersion {
  readonly sequence: number;
  /** Unique for each write, so that one whose answer was lost is known again. */
  readonly id: string;
  /** etcd's revision of the write; null for what was deleted past this library. */
  readonly revision: bigint | null;
  /** Null for what was written past this library. */
  readonly author: string | null;
  readonly at: Date | null;
  readonly reason: string | null;
  /** How the document is written, if whoever wrote it has said so. */
  readonly format: ConfigFormat | null;
  readonly deleted: boolean;
  /** The document's length in bytes. */
  readonly size: number;
  /** The revision at which this was entered in the history. No other entry ever has it. */
  readonly enteredAt: string;
}

/** Who writes a version, and why. */
export interface VersionNote {
  readonly author: string;
  readonly reason: string | null;
  readonly at: Date;
  /** Of the document; null if it is deleted. */
  readonly format: ConfigFormat | null;
}

/** A version as JSON has it. */
interface VersionRecord {
  id: string;
  sequence: number;
  author: string | null;
  at: string | null;
  reason: string | null;
  format: ConfigFormat | null;
  /** The mod revision of the document that it took the place of, `0` if there was none. */
  replaced: string;
  deleted: boolean;
  size: number;
  sha256: string | null;
  /** Of a write past this library; any other was entered in the history at its own revision. */
  revision?: string | null;
}

const FORMATS: readonly unknown[] = ['json', 'yaml', 'text'];

/** The entry of a version that is written by this library, and its mark. */
export function encodeVersion(
  sequence: number,
  document: Buffer | null,
  replaced: string,
  { author, reason, at, format }: VersionNote,
): { id: string; value: Buffer } {
  const id = randomUUID();
  const record: VersionRecord = {
    ...{ id, sequence, author, at: at.toISOString(), reason, format },
    ...{ replaced, ...about(document) },
  };
  return { id, value: Buffer.from(JSON.stringify(record)) };
}

/**
 * The entry of what somebody has written past this library: `standing`, or nothing any more. How
 * it is written nobody has said; most likely as it was before.
 */
export function encodeForeignVersion(
  sequence: number,
  { standing, newest }: { standing: IKeyValue | null; newest: ConfigVersion | null },
  replaced: string,
): Buffer {
  const format = newest?.format ?? null;
  const record: VersionRecord = {
    ...{ id: randomUUID(), sequence, author: null, at: null, reason: null, format },
    ...{ replaced, ...about(standing?.value ?? null) },
    revision: standing?.mod_revision ?? null,
  };
  return Buffer.from(JSON.stringify(record));
}

/** Reads an entry; what is none of ours, put there by hand, counts as a version of nobody. */
export function decodeVersion(sequence: number, entry: IKeyValue): ConfigVersion {
  const record = parse(entry.value);
  const { id, author, reason, at, format, revision, deleted, size } = record;
  const time = typeof at === 'string' ? new Date(at) : null;
  return {
    sequence,
    id: text(id) ?? '',
    revision: revision === undefined ? BigInt(entry.create_revision) : revisionOf(revision),
    author: text(author),
    at: time && Number.isFinite(time.getTime()) ? time : null,
    reason: text(reason),
    format: FORMATS.includes(format) ? (format as ConfigFormat) : null,
    deleted: deleted === true,
    size: typeof size === 'number' ? size : 0,
    enteredAt: entry.create_revision,
  };
}

function about(document: Buffer | null): Pick<VersionRecord, 'deleted' | 'size' | 'sha256'> {
  if (document === null) return { deleted: true, size: 0, sha256: null };
  const sha256 = createHash('sha256').update(document).digest('hex');
  return { deleted: false, size: document.length, sha256 };
}

function parse(data: Buffer): Partial<Record<keyof VersionRecord, unknown>> {
  try {
    const record: unknown = JSON.parse(data.toString());
    return typeof record === 'object' && record !== null ? record : {};
  } catch {
    return {};
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function revisionOf(value: unknown): bigint | null {
  return typeof value === 'string' && /^\d+$/.test(value) ? BigInt(value) : null;
}
