import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { ConfigLayer } from './config-layer.js';

/** No layer of a configuration can be called that. */
export class InvalidConfigLayerError extends EtcdCoordinationError {
  constructor(layer: unknown) {
    super(
      'INVALID_CONFIG_LAYER',
      `${JSON.stringify(layer) ?? String(layer)} is no layer of a configuration: give "shared", "service:<name>", "zone:<name>" or "instance:<id>".`,
    );
  }
}

/** How many of a schema's complaints an error shows. */
const ISSUES_SHOWN = 10;

/** Where a document stands, or is to stand. */
export interface ConfigPlace {
  readonly key: string;
  /** Null for the merged value, if no layer can be named alone. */
  readonly layer: ConfigLayer | null;
  /** The document's mod revision; null if it is not written yet. */
  readonly revision: bigint | null;
}

/** What a document or a value has wrong, at one place in it. */
export interface ConfigIssue {
  /** The keys and indexes that lead to it; empty for the whole. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/**
 * A document that cannot be used: it cannot be parsed, or its schema refuses what it says. What a
 * parser finds is never quoted, for it may be secret: only where it is at fault. A schema's own
 * words are shown as they are, and may quote values: let the schemas of secrets say nothing of them.
 */
export class ConfigInvalidError extends EtcdCoordinationError {
  readonly key: string;
  readonly layer: ConfigLayer | null;
  readonly revision: bigint | null;

  constructor(
    { key, layer, revision }: ConfigPlace,
    /** What is wrong, in words that follow "it is invalid:". */
    readonly fault: string,
    /** What the schema said, all of it. */
    readonly issues: readonly ConfigIssue[] = [],
    cause?: unknown,
  ) {
    const where = layer === null ? '' : `, layer "${layer}"`;
    const when = revision === null ? '' : `, revision ${revision}`;
    super(
      'CONFIG_INVALID',
      `The configuration "${key}"${where}${when}, is invalid: ${fault}. Correct the document and set it again.`,
      cause === undefined ? undefined : { cause },
    );
    this.key = key;
    this.layer = layer;
    this.revision = revision;
  }

  /** The message without the schema's own words: for those who may not see what it quotes. */
  get publicMessage(): string {
    if (this.issues.length === 0) return this.message;
    const paths = [...new Set(this.issues.map(({ path }) => showPath(path) || 'the whole'))];
    const more = paths.length - ISSUES_SHOWN;
    const shown = [...paths.slice(0, ISSUES_SHOWN), ...(more > 0 ? [`${more} more`] : [])];
    const fault = `its schema says what is wrong with: ${shown.join(', ')}`;
    return this.message.replace(this.fault, () => `${fault}; see the log`);
  }

  /** The error of a schema that refuses a value. */
  static ofIssues(place: ConfigPlace, issues: readonly ConfigIssue[]): ConfigInvalidError {
    const shown = issues.slice(0, ISSUES_SHOWN).map(({ path, message }) => {
      const what = message.replace(/\.$/, '');
      return path.length === 0 ? what : `at ${showPath(path)}: ${what}`;
    });
    const more = issues.length - shown.length;
    if (more > 0) shown.push(`and ${more} more`);
    return new ConfigInvalidError(place, `its schema says ${shown.join('; ')}`, issues);
  }
}

/** A configuration has no document in any layer that concerns this instance, and no default. */
export class ConfigMissingError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    layers: readonly ConfigLayer[],
  ) {
    super(
      'CONFIG_MISSING',
      `The configuration "${key}" has no document in any of its layers (${layers.map((l) => `"${l}"`).join(', ')}), and no default is declared; set a document or declare a default.`,
    );
  }
}

/** A configuration was read before it was loaded. */
export class ConfigNotReadyError extends EtcdCoordinationError {
  constructor(readonly key: string) {
    super(
      'CONFIG_NOT_READY',
      `The configuration "${key}" is not loaded yet; read it in onModuleInit or later, or wait for ready().`,
    );
  }
}

/** A configuration was declared with options that mean nothing, or with other ones than before. */
export class ConfigDeclarationError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    /** In words that follow the configuration's name. */
    fault: string,
  ) {
    super('CONFIG_DECLARATION', `The configuration "${key}" ${fault}.`);
  }
}

/** etcd cannot be read, and neither a snapshot nor a default stands in for it. */
export class ConfigUnavailableError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    /** In words that follow "etcd". */
    fault: string,
  ) {
    super(
      'CONFIG_UNAVAILABLE',
      `The configuration "${key}" cannot be read: etcd ${fault}, no snapshot holds it and no default is declared. Bring etcd back; with the option "config.snapshot" a later start can do without.`,
    );
  }
}

/** A path as one would write it in code: `limits.perUser[2]`. */
export function showPath(path: readonly (string | number)[]): string {
  const shown = path.map((part, index) => {
    if (typeof part === 'number') return `[${part}]`;
    if (!/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(part)) return `[${JSON.stringify(part)}]`;
    return index === 0 ? part : `.${part}`;
  });
  const text = shown.join('');
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}

/** What a write found instead of what it expected. */
export interface ConfigConflict {
  readonly key: string;
  readonly layer: ConfigLayer;
  /** The revision that the write went out from; `0n` if the layer was to be absent. */
  readonly expected: bigint;
  /** The revision of the change, if it is known: of a deletion past this library it is not. */
  readonly revision: bigint | null;
  readonly deleted: boolean;
  /** Who changed it, if it was changed through this library. */
  readonly author: string | null;
  readonly at: Date | null;
  readonly reason: string | null;
}

/** Others have changed a layer since the revision that a write went out from. Nothing was written. */
export class ConfigConflictError extends EtcdCoordinationError {
  readonly key: string;
  readonly layer: ConfigLayer;
  readonly expectedRevision: bigint;
  /** etcd's revision of the change; null if it was deleted past this library. */
  readonly revision: bigint | null;
  readonly deleted: boolean;
  /** Who changed it; null if that was done past this library, as by etcdctl. */
  readonly changedBy: string | null;
  readonly changedAt: Date | null;
  /** Why, as whoever changed it said. */
  readonly reason: string | null;

  constructor(conflict: ConfigConflict) {
    const { key, layer, expected, revision, deleted, author, at, reason } = conflict;
    const what = deleted ? 'was deleted' : 'was changed';
    const who = author === null ? 'past this library, as by etcdctl' : `by ${author}`;
    const when = at === null ? '' : ` at ${at.toISOString()}`;
    const why = reason === null ? '' : ` ("${reason}")`;
    const known = revision === null ? '' : `, revision ${revision}`;
    const than =
      expected === 0n ? 'while it was expected not to exist' : `after revision ${expected}`;
    super(
      'CONFIG_CONFLICT',
      `The layer "${layer}" of the configuration "${key}" ${what} ${who}${when}${known}${why}, ${than}; nothing was written. Read it anew and decide again.`,
    );
    this.key = key;
    this.layer = layer;
    this.expectedRevision = expected;
    this.revision = revision;
    this.deleted = deleted;
    this.changedBy = author;
    this.changedAt = at;
    this.reason = reason;
  }
}

/** A document is larger than etcd takes in one request. Nothing was written. */
export class ConfigTooLargeError extends EtcdCoordinationError {
  private constructor(
    readonly key: string,
    readonly layer: ConfigLayer,
    /** The document's length in bytes. */
    readonly size: number,
    sentence: string,
    cause?: unknown,
  ) {
    super('CONFIG_TOO_LARGE', sentence, cause === undefined ? undefined : { cause });
  }

  /** The document that is to be written has more than `limit` bytes, or is refused by etcd at once. */
  static written(key: string, layer: ConfigLayer, size: number, limit: number, cause?: unknown) {
    const bound =
      size > limit
        ? `more than the ${limit} that fit into a request of etcd`
        : 'more than this etcd takes in one request (--max-request-bytes)';
    return new ConfigTooLargeError(
      ...([key, layer, size] as const),
      `The document of the layer "${layer}" of the configuration "${key}" has ${size} bytes, ${bound}; part it among several configurations.`,
      cause,
    );
  }

  /** What stands was written past this library, and does not fit into the history. */
  static standing(key: string, layer: ConfigLayer, size: number, cause: unknown) {
    return new ConfigTooLargeError(
      ...([key, layer, size] as const),
      `The document that stands in the layer "${layer}" of the configuration "${key}" has ${size} bytes, too many to be kept in its history; save it elsewhere and delete it with etcdctl, then write again.`,
      cause,
    );
  }
}

/** There is no document to delete. */
export class ConfigLayerMissingError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    readonly layer: ConfigLayer,
  ) {
    super(
      'CONFIG_LAYER_MISSING',
      `The configuration "${key}" has no document in its layer "${layer}", so there is none to delete; look at its history for when it was.`,
    );
  }
}

/** Why a version cannot be set back to. */
export type VersionFault = 'unknown' | 'pruned' | 'deleted' | 'lost' | 'current';

const VERSION_FAULTS: Record<VersionFault, string> = {
  unknown: 'there never was such a version',
  pruned: 'it is so old that it is kept no longer',
  deleted: 'that version is a deletion',
  lost: 'its document was written over past this library, and etcd has compacted it',
  current: 'that version is what stands',
};

/** A configuration cannot be set back to that version. Nothing was written. */
export class ConfigVersionError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    readonly layer: ConfigLayer,
    /** The version that was asked for. */
    readonly sequence: number,
    readonly fault: VersionFault,
    /** The versions that there are documents of, oldest first. */
    readonly available: readonly number[],
  ) {
    const there =
      available.length === 0
        ? 'there is no version to set it back to'
        : `it can be set back to ${spans(available)}`;
    super(
      'CONFIG_VERSION_UNAVAILABLE',
      `The layer "${layer}" of the configuration "${key}" cannot be set back to version ${sequence}: ${VERSION_FAULTS[fault]}; ${there}.`,
    );
  }
}

/** What publishing was told makes no sense. Nothing was written. */
export class InvalidConfigWriteError extends EtcdCoordinationError {
  constructor(
    readonly key: string,
    /** In words that follow "the publishing of …". */
    fault: string,
  ) {
    super('INVALID_CONFIG_WRITE', `The publishing of the configuration "${key}" ${fault}.`);
  }
}

/** Ascending numbers as people write them: `2, 4 to 9`. */
function spans(numbers: readonly number[]): string {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs
    .map(([from, to]) => (to - from > 1 ? `${from} to ${to}` : [...new Set([from, to])].join(', ')))
    .join(', ');
}
