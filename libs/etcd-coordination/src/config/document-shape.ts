import { isPlainObject } from './plain-object.js';

/** How deep a document may be nested. */
export const MAX_CONFIG_DEPTH = 100;

/** How many values a document may hold. As JSON it cannot reach that; aliases of YAML could. */
const MAX_VALUES = 1_000_000;

/** What is wrong with a value as a configuration, and where. */
export interface ShapeFault {
  readonly path: readonly (string | number)[];
  /** In words that follow "it". */
  readonly fault: string;
}

/** Said by all who find it, whatever the format. */
export const TOO_DEEP = `is nested deeper than ${MAX_CONFIG_DEPTH} levels`;

/**
 * What no document may say although its format can, or null: a key `__proto__`, which careless
 * code takes for an object's prototype; a depth that ends somebody's recursion (this one ends
 * before); types that only YAML's tags can make.
 */
export function shapeFault(value: unknown): ShapeFault | null {
  let count = 1;
  const path: (string | number)[] = [];
  const fault = (text: string): ShapeFault => ({ path: [...path], fault: text });

  const visitHeld = (key: string | number, held: unknown): ShapeFault | null => {
    if (typeof held !== 'object' || held === null) return null;
    path.push(key);
    const found = visit(held);
    path.pop();
    return found;
  };
  const visit = (held: object): ShapeFault | null => {
    if (path.length >= MAX_CONFIG_DEPTH) return { path: path.slice(0, 3), fault: TOO_DEEP };
    if (Array.isArray(held)) return visitAll(held.length, (i) => visitHeld(i, held[i]));
    if (!isPlainObject(held)) return fault('has a tag of a type that no configuration can hold');
    const keys = Object.keys(held);
    if (keys.includes('__proto__')) return fault('has a key "__proto__"');
    return visitAll(keys.length, (i) => visitHeld(keys[i]!, held[keys[i]!]));
  };
  const visitAll = (
    length: number,
    visitOne: (index: number) => ShapeFault | null,
  ): ShapeFault | null => {
    count += length;
    if (count > MAX_VALUES) return fault(`holds more than ${MAX_VALUES} values`);
    for (let index = 0; index < length; index++) {
      const found = visitOne(index);
      if (found) return found;
    }
    return null;
  };
  return typeof value === 'object' && value !== null ? visit(value) : null;
}
