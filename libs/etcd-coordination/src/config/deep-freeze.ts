import { isPlainObject, setOwn } from './plain-object.js';

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
    if (!Array.isArray(held) && !isPlainObject(held)) return;
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

/** The same value, its plain objects and arrays anew and frozen: the given ones stay as they are. */
export function frozenCopy<T>(value: T): T {
  return deepFreeze(plainCopy(value));
}

/** The same value, its plain objects and arrays anew. What it holds twice, or in a circle, it does so in the copy. */
export function plainCopy<T>(value: T, copies = new Map<unknown, unknown>()): T {
  if (!Array.isArray(value) && !isPlainObject(value)) return value;
  const known = copies.get(value);
  if (known !== undefined) return known as T;
  if (Array.isArray(value)) {
    const copy: unknown[] = [];
    copies.set(value, copy);
    for (const held of value as unknown[]) copy.push(plainCopy(held, copies));
    return copy as T;
  }
  const copy: Record<string, unknown> = {};
  copies.set(value, copy);
  for (const [key, held] of Object.entries(value)) setOwn(copy, key, plainCopy(held, copies));
  return copy as T;
}
