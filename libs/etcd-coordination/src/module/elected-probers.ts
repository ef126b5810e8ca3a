import { isDeepStrictEqual } from 'node:util';
import { distinctUntilChanged, map, type Observable } from 'rxjs';
import type { ElectionService } from '../election/election.service.js';
import type { ProberCandidate, ProberElection } from '../registry/probe/prober-election.js';

/** The election of a namespace in which all who take part in probing stand. */
export const PROBERS_ELECTION = 'registry/probers';

/** The value of a candidacy that doubts; all others have none. */
const DOUBTFUL = 'doubtful';

/** Elects who probes the registry's instances. Features do not know each other, so the module joins the two. */
export class ElectedProbers implements ProberElection {
  readonly candidates$: Observable<readonly ProberCandidate[]>;

  constructor(private readonly elections: Pick<ElectionService, 'join' | 'leave' | 'candidates$'>) {
    this.candidates$ = elections.candidates$(PROBERS_ELECTION).pipe(
      map((candidates) =>
        candidates.map(({ candidateId, value }) => ({
          id: candidateId,
          doubts: value === DOUBTFUL,
        })),
      ),
      distinctUntilChanged((a, b) => isDeepStrictEqual(a, b)),
    );
  }

  join(doubts: boolean): Promise<void> {
    return this.elections.join(PROBERS_ELECTION, { value: doubts ? DOUBTFUL : '' });
  }

  leave(): Promise<void> {
    return this.elections.leave(PROBERS_ELECTION);
  }
}
