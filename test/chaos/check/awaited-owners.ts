import type { OwnershipNote } from './ownership.js';

/** What ownership has to come to once everything is healed. */
export interface AwaitedOwners {
  /** What must have an owner again. */
  readonly things: readonly string[];
  /** Those who must each have owned every one of the things; empty where one owner may stay. */
  readonly processes: readonly string[];
  readonly healedAt: number;
}

/**
 * What has yet to come about after the healing, as whole sentences: a grant of each thing that was made, or was
 * seen to be valid, after it, and one to each process that has to have its turn.
 */
export function awaitedOwners(
  notes: readonly OwnershipNote[],
  { things, processes, healedAt }: AwaitedOwners,
): string[] {
  const late = notes.filter(({ t }) => t > healedAt);
  return things.flatMap((of) => {
    const its = late.filter((note) => note.of === of);
    const owned = its.some(({ type }) => type === 'granted' || type === 'valid');
    const granted = new Set(
      its.flatMap(({ type, process }) => (type === 'granted' ? [process] : [])),
    );
    return [
      ...(owned ? [] : [`Nobody has owned ${of} since the healing.`]),
      ...processes
        .filter((process) => !granted.has(process))
        .map((process) => `Process ${process} was not granted ${of} since the healing.`),
    ];
  });
}
