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
 * A document that cannot be used: it cannot be parsed, or its schema refuses what it says. Its
 * contents are never shown, for they may be secret: only where they are at fault.
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
    detail: string,
    cause?: unknown,
  ) {
    super(
      'CONFIG_UNAVAILABLE',
      `The configuration "${key}" cannot be read: etcd does not answer, ${detail}, and no default is declared; bring etcd back, or set the option "config.snapshot" so that the next start does without.`,
      cause === undefined ? undefined : { cause },
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
