import type { ConfigFormat } from './config-options.js';
import { ConfigInvalidError, showPath, type ConfigPlace } from './config.errors.js';
import { deepFreeze } from './deep-freeze.js';
import { shapeFault } from './document-shape.js';
import { jsonFault } from './json-fault.js';
import { UnwritableValue, writtenValue } from './written-value.js';
import { YamlFault, YamlFormat } from './yaml-document.js';

const yaml = new YamlFormat();

/**
 * The longest YAML document, in bytes. The parser takes some 3 ms of the event loop for each KiB,
 * in every process that follows it and at the same moment: with more, leases would be lost.
 */
export const MAX_YAML_BYTES = 256 * 1024;

/** What a format needs before {@link parseDocument} can read it; null if nothing (any more). */
export function formatReady(format: ConfigFormat): Promise<void> | null {
  return format === 'yaml' ? yaml.ready() : null;
}

/**
 * What a document says, frozen. A byte order mark at its start is passed over.
 *
 * @throws {ConfigInvalidError} naming the place in the document, never what stands there
 */
export function parseDocument(document: Buffer, format: ConfigFormat, place: ConfigPlace): unknown {
  if (format === 'yaml' && document.length > MAX_YAML_BYTES) {
    throw new ConfigInvalidError(
      place,
      `it is YAML of ${document.length} bytes, and reading more than ${MAX_YAML_BYTES} would hold up every process that follows it for too long; write it as JSON, which may have up to 1.5 MiB, or part it among several configurations`,
    );
  }
  const text = decode(document, place);
  if (format === 'text') return text;
  const value = format === 'yaml' ? parseYaml(text, place) : parseJson(text, place);
  const shape = shapeFault(value);
  if (shape) throw new ConfigInvalidError(place, `it ${shape.fault}${at(shape.path)}`);
  return deepFreeze(value);
}

/**
 * The document that says `value`.
 *
 * @throws {ConfigInvalidError} naming the path of what the format cannot say: undefined,
 *   functions, symbols, bigint, NaN, circles, a Map or a Set and others of their kind
 */
export async function writeDocument(
  value: unknown,
  format: ConfigFormat,
  place: ConfigPlace,
): Promise<Buffer> {
  if (format === 'text') {
    if (typeof value === 'string') return Buffer.from(value);
    throw new ConfigInvalidError(place, 'its format is text, and the value is no string');
  }
  const written = writable(value, format, place);
  if (format === 'json') return Buffer.from(JSON.stringify(written));
  await yaml.ready();
  return Buffer.from(yaml.stringify(written));
}

function writable(value: unknown, format: ConfigFormat, place: ConfigPlace): unknown {
  try {
    return writtenValue(value);
  } catch (error) {
    if (!(error instanceof UnwritableValue)) throw error;
    throw new ConfigInvalidError(
      place,
      `it ${error.fault}${at(error.path)}, and a document of the format ${format} cannot`,
    );
  }
}

function decode(document: Buffer, place: ConfigPlace): string {
  try {
    // Passes over one byte order mark.
    return new TextDecoder('utf-8', { fatal: true }).decode(document);
  } catch {
    throw new ConfigInvalidError(place, 'it is not UTF-8; save it as such');
  }
}

function parseJson(text: string, place: ConfigPlace): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const fault = jsonFault(text);
    if (!fault) throw new ConfigInvalidError(place, 'it is no JSON');
    throw new ConfigInvalidError(
      place,
      `it is no JSON at ${position(text, fault.offset)}: ${fault.what}`,
    );
  }
}

function parseYaml(text: string, place: ConfigPlace): unknown {
  try {
    return yaml.parse(text);
  } catch (error) {
    if (!(error instanceof YamlFault)) throw error;
    const where = error.offset === null ? '' : ` (${position(text, error.offset)})`;
    throw new ConfigInvalidError(place, `it ${error.fault}${where}`);
  }
}

function at(path: readonly (string | number)[]): string {
  return path.length === 0 ? '' : ` at ${showPath(path)}`;
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return `line ${line}, column ${offset - before.lastIndexOf('\n')}`;
}
