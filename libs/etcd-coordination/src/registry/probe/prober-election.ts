import type { Observable } from 'rxjs';

/** The election of a namespace in which everybody stands who takes part in probing. */
export interface ProberElection {
  /** Stands in it until it is left. Resolves when the candidacy stands. */
  join(): Promise<void>;
  leave(): Promise<void>;
  /** The candidates' ids in the order in which they lead, as they change; the present ones first. */
  readonly candidates$: Observable<readonly string[]>;
}
