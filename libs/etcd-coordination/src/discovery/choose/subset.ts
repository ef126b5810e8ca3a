import type { Candidate } from './candidate.js';

/**
 * The `size` candidates that are nearest to this process, in their order. Near is by a hash of
 * both, so that each process talks with others; and when one goes, only the next nearest comes.
 */
export function nearest(list: readonly Candidate[], size: number): readonly Candidate[] {
  if (list.length <= size) return list;
  const ranked = [...list].sort(byNearness).slice(0, size);
  const chosen = new Set(ranked);
  return list.filter((candidate) => chosen.has(candidate));
}

function byNearness(a: Candidate, b: Candidate): number {
  return b.nearness - a.nearness || (a.id < b.id ? -1 : 1);
}
