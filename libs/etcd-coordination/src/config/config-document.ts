import type { ConfigFormat } from './config-options.js';
import type { ConfigPlace } from './config.errors.js';

/** How deep a document may be nested. */
export const MAX_CONFIG_DEPTH = 100;

/** What a format needs before {@link parseDocument} can read it; null if nothing (any more). */
export function formatReady(format: ConfigFormat): Promise<void> | null {
  throw new Error(`TODO ${format}`);
}

/**
 * What a document says, frozen. A byte order mark at its start is passed over.
 *
 * @throws {ConfigInvalidError} naming the place in the document, never what stands there
 */
export function parseDocument(document: Buffer, format: ConfigFormat, place: ConfigPlace): unknown {
  throw new Error(`TODO ${document.length} ${format} ${place.key}`);
}

/**
 * The document that says `value`.
 *
 * @throws {ConfigInvalidError} naming the path of what the format cannot say: undefined,
 *   functions, symbols, bigint, NaN, Infinity, circles, instances of classes without `toJSON`
 */
export async function writeDocument(
  value: unknown,
  format: ConfigFormat,
  place: ConfigPlace,
): Promise<Buffer> {
  throw new Error(`TODO ${String(value)} ${format} ${place.key}`);
}
