/** Notes by their moments; those of one process keep their order, as they are sorted stably. */
export function inTime<N extends { readonly t: number }>(notes: readonly N[]): N[] {
  return [...notes].sort((a, b) => a.t - b.t);
}

/** What has the same key, in the order in which it came. */
export function grouped<T>(all: Iterable<T>, keyOf: (one: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of all) {
    const key = keyOf(one);
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return groups;
}

/** A moment as violations name it: milliseconds of the machine's clock. */
export function at(t: number): string {
  return t.toFixed(3);
}
