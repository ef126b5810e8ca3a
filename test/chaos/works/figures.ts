/** How often each kind was seen, as lines of the report: `granted: using local` and so on, in order. */
export function tally<T>(
  name: string,
  all: readonly T[],
  kindOf: (one: T) => string | null,
): Record<string, number> {
  const counts = new Map<string, number>();
  for (const one of all) {
    const kind = kindOf(one);
    if (kind !== null) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([kind, count]) => [`${name}: ${kind}`, count]));
}

/** A sentence if something was seen less often than so often a minute; none if it was often enough. */
export function least(what: string, seen: number, aMinute: number, minutes: number): string[] {
  if (seen >= leastIn(aMinute, minutes)) return [];
  return [`There were ${seen} ${what}, and not ${aMinute} a minute.`];
}

/**
 * How often something that must be seen so often a minute must be in so many minutes: what every minute has, a
 * shorter run has once; of what is rarer than that it may have none.
 */
export function leastIn(aMinute: number, minutes: number): number {
  const least = Math.floor(aMinute * minutes);
  return aMinute >= 1 ? Math.max(1, least) : least;
}
