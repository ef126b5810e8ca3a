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
  if (seen >= Math.floor(aMinute * minutes)) return [];
  return [`There were ${seen} ${what}, and not ${aMinute} a minute.`];
}
