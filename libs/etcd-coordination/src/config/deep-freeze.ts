import { isPlainArray, isPlainObject, setOwn } from './plain-object.js';

/**
 * Freezes a value and what it holds, in place: plain objects and arrays. Instances of classes, a
 * Date or a Map, are left as they are.
 */
export function deepFreeze<T>(value: T): T {
  const open: object[] = [];
  // Not asking whether it is frozen: what a frozen object holds need not be.
  const seen = new Set<object>();
  const take = (held: unknown) => {
    if (typeof held !== 'object' || held === null || seen.has(held)) return;
    if (!isPlainArray(held) && !isPlainObject(held)) return;
    seen.add(held);
    open.push(Object.freeze(held));
  };
  take(value);
  for (let next = open.pop(); next; next = open.pop()) {
    if (Array.isArray(next)) {
      for (const held of next as unknown[]) take(held);
      continue;
    }
    // A getter is not called: it may be anything.
    for (const key of Reflect.ownKeys(next)) {
      take(Object.getOwnPropertyDescriptor(next, key)!.value);
    }
  }
  return value;
}

/** How deep a value may be nested that a schema or an application has made. */
export const MAX_VALUE_DEPTH = 1000;

/**
 * The same value, its plain objects and arrays anew and frozen: the given ones stay as they are.
 *
 * @throws {RangeError} if it is nested deeper than {@link MAX_VALUE_DEPTH}, and what a getter throws
 */
export function frozenCopy<T>(value: T): T {
  return deepFreeze(plainCopy(value));
}

/**
 * The same value, its plain objects and arrays anew. What it holds twice, or in a circle, it does
 * so in the copy. A getter is read, once: the copy has what it gave. Throws as {@link frozenCopy}.
 */
export function plainCopy<T>(value: T, copies = new Map<unknown, unknown>(), depth = 0): T {
  const isArray = isPlainArray(value);
  if (!isArray && !isPlainObject(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known as T;
  if (depth > MAX_VALUE_DEPTH) {
    throw new RangeError(`It is nested deeper than ${MAX_VALUE_DEPTH} levels.`);
  }
  const copyOf = (held: unknown): unknown => plainCopy(held, copies, depth + 1);
  const keys = Reflect.ownKeys(value);
  if (isArray && keys.length === value.length + 1) {
    const copy: unknown[] = [];
    copies.set(value, copy);
    for (const held of value) copy.push(copyOf(held));
    return copy as T;
  }
  const copy: object = isArray ? [] : (Object.create(Object.getPrototypeOf(value)) as object);
  copies.set(value, copy);
  for (const key of keys) {
    const { enumerable } = Object.getOwnPropertyDescriptor(value, key)!;
    const held = copyOf((value as Record<PropertyKey, unknown>)[key]);
    if (enumerable && typeof key === 'string') setOwn(copy as Record<string, unknown>, key, held);
    // An array's length, and what others are not shown.
    else Object.defineProperty(copy, key, { value: held, enumerable: enumerable!, writable: true });
  }
  return copy as T;
}
