import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { CandidacyState } from './candidacy.js';
import type { LeaderTerm } from './leader-term.js';
import type { Leadership } from './leadership.js';

/** How this process stands in an election that it takes part in, or follows. */
export interface ElectionStatus {
  readonly election: string;
  /** Where its candidacy stands, the furthest one if there are several; null if it only looks on. */
  readonly candidacy: CandidacyState | null;
  /** Its term, if it leads now by the clock. */
  readonly term: LeaderTerm | null;
  /** Who leads, as far as is known. */
  readonly leader: Leadership | null;
  /** Why etcd does not show the election; null if it does. */
  readonly error: EtcdCoordinationError | null;
}

/** From the least to the furthest. */
const PROGRESS: readonly CandidacyState[] = [
  'left',
  'withdrawing',
  'preparing',
  'entering',
  'waiting',
  'leading',
];

/** The one that is furthest on its way to lead; null if there is none. */
export function furthest(states: readonly CandidacyState[]): CandidacyState | null {
  const best = Math.max(...states.map((state) => PROGRESS.indexOf(state)));
  return PROGRESS[best] ?? null;
}
