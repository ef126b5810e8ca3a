import { distinctUntilChanged, map, type Observable } from 'rxjs';
import type { ElectionService } from '../election/election.service.js';
import type { ProberElection } from '../registry/probe/prober-election.js';

/** The election of a namespace in which all who take part in probing stand. */
export const PROBERS_ELECTION = 'registry/probers';

/** Elects who probes the registry's instances. Features do not know each other, so the module joins the two. */
export class ElectedProbers implements ProberElection {
  readonly candidates$: Observable<readonly string[]>;

  constructor(private readonly elections: Pick<ElectionService, 'join' | 'leave' | 'candidates$'>) {
    this.candidates$ = elections.candidates$(PROBERS_ELECTION).pipe(
      map((candidates) => candidates.map(({ candidateId }) => candidateId)),
      distinctUntilChanged((a, b) => a.length === b.length && a.every((id, at) => id === b[at])),
    );
  }

  join(): Promise<void> {
    return this.elections.join(PROBERS_ELECTION);
  }

  leave(): Promise<void> {
    return this.elections.leave(PROBERS_ELECTION);
  }
}
