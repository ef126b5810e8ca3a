/** What stands in etcd is anybody's text: these read it for what it may be, and never throw. */

export type JsonObject = Readonly<Record<string, unknown>>;

/** The object that a value says as JSON, or null if it says none. */
export function parseObject(data: Buffer): JsonObject | null {
  try {
    const parsed: unknown = JSON.parse(data.toString());
    return isObject(parsed) ? parsed : null;
  } catch {
    return null;
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A string that says something, or null. */
export function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** A whole number from `least` to `most`, or null. */
export function wholeOrNull(value: unknown, least: number, most: number): number | null {
  const isWhole = typeof value === 'number' && Number.isInteger(value);
  return isWhole && value >= least && value <= most ? value : null;
}
