import type { ChooseStrategy } from '../service-pool.js';
import type { Candidate } from './candidate.js';
import { Candidates } from './candidates.js';
import { STRATEGY, type Draw } from './strategies.js';

/** So often a choice is made anew that fell on one that is not wanted. */
const TRIES = 8;

const NOT_AGAIN: ReadonlySet<ChooseStrategy> = new Set(['rendezvous', 'least-in-flight']);

function triesOf(strategy: ChooseStrategy, set: Candidates): number {
  if (NOT_AGAIN.has(strategy)) return 0;
  // Whose turn it is only the set itself knows: one that is made for this choice begins with the first.
  return strategy === 'round-robin' ? set.chosen.length : TRIES;
}

/** Chooses one of a set that is not excluded; null if there is none. */
export function pick(
  set: Candidates,
  strategy: ChooseStrategy,
  draw: Draw,
  exclude: ReadonlySet<string> | undefined,
): Candidate | null {
  if (set.everyone.length === 0) return null;
  if (!exclude?.size) return STRATEGY[strategy](set, draw);
  // Few are excluded, almost always: to leave them out of a large list would cost more.
  for (let tries = triesOf(strategy, set); tries > 0; tries -= 1) {
    const candidate = STRATEGY[strategy](set, draw);
    if (!exclude.has(candidate.id)) return candidate;
  }
  const isWanted = ({ id }: Candidate) => !exclude.has(id);
  const chosen = strategy === 'rendezvous' ? [] : set.chosen.filter(isWanted);
  const wanted = chosen.length > 0 ? chosen : set.everyone.filter(isWanted);
  return wanted.length > 0 ? STRATEGY[strategy](Candidates.of(wanted), draw) : null;
}
