import { isPlainArray, isPlainObject } from './plain-object.js';

/** One place in which a value differs from the one before it. */
export interface ConfigDifference {
  /** The keys and indexes that lead to it; empty for the value itself. */
  readonly path: readonly (string | number)[];
  readonly type: 'added' | 'removed' | 'changed';
  /** Absent if it was added. */
  readonly before?: unknown;
  /** Absent if it was removed. */
  readonly after?: unknown;
}

type Path = readonly (string | number)[];

/** The new objects on the way to a place, each with the old one it is compared to: a value may hold itself. */
type Within = Map<unknown, unknown>;

/**
 * What leads from one value to the next, applied in this order; nothing if they are equal. Plain
 * objects are compared by key and arrays by index; everything else is one thing, equal or not.
 * Nobody can change the list, for all subscribers are given the same.
 */
export function differences(before: unknown, after: unknown): readonly ConfigDifference[] {
  const found: ConfigDifference[] = [];
  compare(before, after, [], new Map(), found);
  for (const difference of found) {
    Object.freeze(difference.path);
    Object.freeze(difference);
  }
  return Object.freeze(found);
}

function compare(
  before: unknown,
  after: unknown,
  path: Path,
  within: Within,
  found: ConfigDifference[],
): void {
  if (Object.is(before, after)) return;
  const arrays = isPlainArray(before) && isPlainArray(after);
  const objects = isPlainObject(before) && isPlainObject(after);
  const withKeys = (arrays || objects) && !hasHidden(before) && !hasHidden(after);
  if (withKeys && !within.has(after)) {
    within.set(after, before);
    if (arrays) compareArrays(before, after, path, within, found);
    else compareObjects(before, after, path, within, found);
    within.delete(after);
    return;
  }
  // Both have come round in their circles: that is being compared already.
  if (within.has(after) && within.get(after) === before) return;
  if (!sameContent(before, after, within)) found.push({ path, type: 'changed', before, after });
}

/**
 * Whether two things are known to say the same. An instance may hold what nobody else can see, so
 * it is equal to itself alone, unless its class is one of those whose content can be read whole.
 */
function sameContent(before: unknown, after: unknown, within: Within): boolean {
  const same = (one: unknown, other: unknown): boolean => {
    const found: ConfigDifference[] = [];
    compare(one, other, [], within, found);
    return found.length === 0;
  };
  if (isOf(Date, before) && isOf(Date, after)) return Object.is(before.getTime(), after.getTime());
  if (within.has(after)) return false;
  within.set(after, before);
  try {
    if (isOf(Map, before) && isOf(Map, after)) return same([...before], [...after]);
    return isOf(Set, before) && isOf(Set, after) && same([...before], [...after]);
  } finally {
    within.delete(after);
  }
}

/** Whether it is of that very class, and nothing was put on it. */
function isOf<T extends object>(
  kind: { readonly prototype: T } & (new (...args: never[]) => T),
  value: unknown,
): value is T {
  return (
    value instanceof kind &&
    Object.getPrototypeOf(value) === kind.prototype &&
    Reflect.ownKeys(value).length === 0
  );
}

/** Whether it has properties that its keys, or its indexes, do not show. */
function hasHidden(value: object): boolean {
  const shown = Array.isArray(value) ? value.length + 1 : Object.keys(value).length;
  return Reflect.ownKeys(value).length !== shown;
}

function compareArrays(
  before: readonly unknown[],
  after: readonly unknown[],
  path: Path,
  within: Within,
  found: ConfigDifference[],
): void {
  const common = Math.min(before.length, after.length);
  for (let i = 0; i < common; i++) compare(before[i], after[i], [...path, i], within, found);
  for (let i = common; i < after.length; i++) {
    found.push({ path: [...path, i], type: 'added', after: after[i] });
  }
  // From the end, so that each index is right when its turn comes.
  for (let i = before.length - 1; i >= common; i--) {
    found.push({ path: [...path, i], type: 'removed', before: before[i] });
  }
}

function compareObjects(
  before: object,
  after: object,
  path: Path,
  within: Within,
  found: ConfigDifference[],
): void {
  const [old, next] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  for (const [key, value] of old) {
    const there = [...path, key];
    if (next.has(key)) compare(value, next.get(key), there, within, found);
    else found.push({ path: there, type: 'removed', before: value });
  }
  for (const [key, value] of next) {
    if (!old.has(key)) found.push({ path: [...path, key], type: 'added', after: value });
  }
}
