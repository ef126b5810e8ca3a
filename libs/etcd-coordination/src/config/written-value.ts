import { MAX_CONFIG_DEPTH, TOO_DEEP, type ShapeFault } from './document-shape.js';
import { setOwn } from './plain-object.js';

/** A value that no document can say. Never leaves this folder's files. */
export class UnwritableValue extends Error {
  constructor(
    readonly path: ShapeFault['path'],
    /** In words that follow "it". */
    readonly fault: string,
  ) {
    super(fault);
  }
}

/**
 * The value as documents can say it: of plain objects, arrays, texts, finite numbers, booleans
 * and null, with what `toJSON` makes of a Date and others that have it. `JSON.stringify` would
 * leave out what it cannot say, and nobody would know.
 *
 * @throws {UnwritableValue}
 */
export function writtenValue(value: unknown): unknown {
  return convert(value, [], []);
}

function convert(value: unknown, path: (string | number)[], within: unknown[]): unknown {
  const refuse = (fault: string): never => {
    throw new UnwritableValue([...path], fault);
  };
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    // JSON has no -0.
    return Number.isFinite(value) ? value + 0 : refuse(`holds ${value}`);
  }
  if (typeof value !== 'object') {
    return refuse(value === undefined ? 'holds undefined' : `holds a ${typeof value}`);
  }
  if (within.includes(value)) return refuse('holds itself in a circle');
  if (within.length >= MAX_CONFIG_DEPTH) {
    throw new UnwritableValue(path.slice(0, 3), TOO_DEEP);
  }
  within.push(value);
  const written = convertObject(value, path, within, refuse);
  within.pop();
  return written;
}

function convertObject(
  value: object,
  path: (string | number)[],
  within: unknown[],
  refuse: (fault: string) => never,
): unknown {
  const held = (key: string | number, next: unknown): unknown => {
    path.push(key);
    const written = convert(next, path, within);
    path.pop();
    return written;
  };
  if ('toJSON' in value && typeof value.toJSON === 'function') {
    return convert(value.toJSON(String(path.at(-1) ?? '')), path, within);
  }
  // `Array.from` takes the holes of an array in, as undefined.
  if (Array.isArray(value)) return Array.from(value, (next, index) => held(index, next));
  // A Map, a Set or an Error would be written as an empty object.
  const kind = Object.prototype.toString.call(value);
  if (kind !== '[object Object]') return refuse(`holds a ${kind.slice(8, -1)}`);
  const written: Record<string, unknown> = {};
  for (const [key, next] of Object.entries(value)) {
    if (key === '__proto__') return refuse('has a key "__proto__"');
    setOwn(written, key, held(key, next));
  }
  return written;
}
