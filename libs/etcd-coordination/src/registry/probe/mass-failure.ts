/** What a prober has seen of one instance. Moments are of its clock. */
export interface Sight {
  /** Whether it is probed, and nobody has been told that its probes fail. */
  readonly isWell: boolean;
  /** When the row of failures began that its last probe belongs to; null if that one passed, or there was none. */
  readonly failingSince: number | null;
  /** When it passed last; -Infinity if never. */
  readonly passedAt: number;
}

/**
 * Whether a failure is to be believed:
 * - `credible`: most of the others answer, so it is the instance
 * - `doubtful`: most of the others fail as well, so it may be the prober
 * - `open`: too few of the others have been asked since it began to fail
 */
export type Credit = 'credible' | 'doubtful' | 'open';

/** Fewer instances than that may well fail together: two of three are no more than a bad release. */
const AT_LEAST = 5;

/**
 * What a failure that began at `since` is worth in view of all that the prober sees, that instance
 * among them: nothing for now, if more than half of at least five that were well fail at once.
 *
 * @param sinceLong that it has been open for so long that those who have been asked are to decide
 */
export function creditOf(since: number, sights: Iterable<Sight>, sinceLong: boolean): Credit {
  let [well, failing, unknown] = [0, 0, 0];
  for (const { isWell, failingSince, passedAt } of sights) {
    if (!isWell) continue;
    well += 1;
    if (failingSince !== null) failing += 1;
    else if (passedAt < since) unknown += 1;
  }
  const counted = sinceLong ? well - unknown : well;
  if (counted < AT_LEAST) return 'credible';
  if (failing * 2 > counted) return 'doubtful';
  return sinceLong || (failing + unknown) * 2 <= counted ? 'credible' : 'open';
}
