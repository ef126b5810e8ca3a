/** The one of `known` that `given` looks like a slip of, or null if none is near. */
export function didYouMean(given: string, known: readonly string[]): string | null {
  let best: string | null = null;
  // A third of the letters may be wrong; more is another word.
  let leastEdits = Math.max(1, Math.floor(given.length / 3)) + 1;
  for (const candidate of known) {
    const edits = editDistance(given.toLowerCase(), candidate.toLowerCase());
    if (edits < leastEdits) {
      best = candidate;
      leastEdits = edits;
    }
  }
  return best;
}

/** How many letters must be put in, taken out or changed to make `b` of `a` (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const changed = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
