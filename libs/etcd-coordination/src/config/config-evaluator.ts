import { systemClock, type MonotonicClock } from '../client/clock.js';
import type { ConfigLayer } from './config-layer.js';
import type { ConfigDeclaration } from './config-options.js';
import type { ConfigPlace } from './config.errors.js';
import { differences } from './config-diff.js';
import { formatReady, parseDocument } from './config-document.js';
import { mergeDocuments } from './config-merge.js';
import { SCHEMA_TIMEOUT_MS, validateConfig } from './config-schema.js';
import { isPlainObject } from './plain-object.js';

/** A layer's document as etcd holds it. */
export interface RawDocument {
  readonly layer: ConfigLayer;
  readonly document: Buffer;
  readonly revision: bigint;
}

/** A layer's document, read. */
export interface ParsedDocument {
  readonly layer: ConfigLayer;
  readonly value: unknown;
  readonly revision: bigint;
}

/** Makes the value of one configuration of its documents: parsed, merged, validated, frozen. */
export class ConfigEvaluator<T> {
  /** What each layer's document last said: what has not changed is not parsed again. */
  private readonly parsed = new Map<ConfigLayer, { document: Buffer; value: unknown }>();
  /** The last good value, and what it was made of. */
  private last: {
    documents: readonly RawDocument[];
    parsed: readonly ParsedDocument[];
    value: T;
  } | null = null;

  constructor(
    private readonly declaration: ConfigDeclaration<T>,
    private readonly clock: MonotonicClock = systemClock,
  ) {}

  /**
   * The value of one or more documents, given in merging order: at once if format and schema
   * allow that. Documents that say the same give the very same value, however they are written:
   * what a schema makes anew of them need not be seen to be equal.
   *
   * @throws {ConfigInvalidError} or rejects with it
   */
  evaluate(documents: readonly RawDocument[]): T | Promise<T> {
    if (this.last && sameDocuments(this.last.documents, documents)) return this.last.value;
    const ready = formatReady(this.declaration.format);
    return ready ? ready.then(() => this.make(documents)) : this.make(documents);
  }

  private make(documents: readonly RawDocument[]): T | Promise<T> {
    const parsed = documents.map((document) => this.parse(document));
    if (this.last && sayTheSame(this.last.parsed, parsed)) {
      this.last = { documents, parsed, value: this.last.value };
      return this.last.value;
    }
    const value = validateConfig(
      this.declaration.schema,
      mergeDocuments(parsed.map((document) => document.value)),
      (path) => placeAtFault(this.declaration.key, parsed, path),
      SCHEMA_TIMEOUT_MS,
      this.clock,
    );
    const keep = (made: T): T => {
      this.last = { documents, parsed, value: made };
      return made;
    };
    return value instanceof Promise ? value.then(keep) : keep(value);
  }

  private parse({ layer, document, revision }: RawDocument): ParsedDocument {
    const known = this.parsed.get(layer);
    if (known?.document.equals(document)) return { layer, value: known.value, revision };
    const { key, format } = this.declaration;
    const value = parseDocument(document, format, { key, layer, revision });
    this.parsed.set(layer, { document, value });
    return { layer, value, revision };
  }
}

/** The newest revision among documents; 0 if there is none. */
export function newestRevision(documents: readonly { readonly revision: bigint }[]): bigint {
  return documents.reduce((newest, { revision }) => (revision > newest ? revision : newest), 0n);
}

/** Whether they say the same, byte for byte and layer by layer. Revisions do not count. */
export function sameDocuments(a: readonly RawDocument[], b: readonly RawDocument[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ layer, document }, index) => {
      const other = b[index]!;
      return layer === other.layer && document.equals(other.document);
    })
  );
}

function sayTheSame(a: readonly ParsedDocument[], b: readonly ParsedDocument[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ layer, value }, index) => {
      const other = b[index]!;
      return layer === other.layer && differences(value, other.value).length === 0;
    })
  );
}

/**
 * Whose document a schema complains of: the last one that says something at that path. What is
 * missing is in none, and what is wrong as a whole may be in any.
 */
export function placeAtFault(
  key: string,
  documents: readonly ParsedDocument[],
  path: readonly (string | number)[],
): ConfigPlace {
  const saying = path.length === 0 ? [] : documents.filter(({ value }) => says(value, path));
  const culprit = documents.length === 1 ? documents[0] : saying.at(-1);
  if (culprit) return { key, layer: culprit.layer, revision: culprit.revision };
  return { key, layer: null, revision: newestRevision(documents) };
}

function says(value: unknown, path: readonly (string | number)[]): boolean {
  let held = value;
  for (const part of path) {
    if (!isPlainObject(held) && !Array.isArray(held)) return false;
    if (!Object.hasOwn(held, part)) return false;
    held = (held as Record<string | number, unknown>)[part];
  }
  return true;
}
