import type { Observable } from 'rxjs';

/** One who stands in the election of the probers. */
export interface ProberCandidate {
  readonly id: string;
  /** Whether it has lately seen most of its instances fail, and suspects that it is itself. */
  readonly doubts: boolean;
}

/** The election of a namespace in which everybody stands who takes part in probing. */
export interface ProberElection {
  /**
   * Stands in it until it is left, and says whether it doubts what it sees; again for another word,
   * which changes nothing of its place. Resolves when that stands.
   */
  join(doubts: boolean): Promise<void>;
  leave(): Promise<void>;
  /** The candidates in the order in which they lead, as they change; the present ones first. */
  readonly candidates$: Observable<readonly ProberCandidate[]>;
}
