import { isPlainObject, setOwn } from './plain-object.js';

/**
 * Freezes a value and what it holds, in place: plain objects and arrays. Instances of classes, a
 * Date or a Map, are left as they are.
 */
export function deepFreeze<T>(value: T): T {
  const open: unknown[] = [value];
  // Not asking whether it is frozen: what a frozen object holds need not be.
  const seen = new Set<unknown>();
  while (open.length > 0) {
    const next = open.pop();
    if ((!Array.isArray(next) && !isPlainObject(next)) || seen.has(next)) continue;
    seen.add(next);
    Object.freeze(next);
    for (const held of Object.values(Object.getOwnPropertyDescriptors(next))) {
      open.push(held.value);
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
