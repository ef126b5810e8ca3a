import { BehaviorSubject, NEVER, type Observable } from 'rxjs';
import type { Fence } from '../../libs/etcd-coordination/src/context/fence.js';
import type {
  LeaderTerm,
  TermEndReason,
} from '../../libs/etcd-coordination/src/election/leader-term.js';
import type {
  Candidate,
  Leadership,
} from '../../libs/etcd-coordination/src/election/leadership.js';
import { TermEndedError } from '../../libs/etcd-coordination/src/election/term-ended.error.js';

/** A term that lasts until the test ends it. */
export class FakeTerm implements LeaderTerm {
  readonly fence: Fence;
  private readonly controller = new AbortController();

  constructor(
    readonly election: string,
    readonly epoch: bigint,
  ) {
    this.fence = {
      resource: `election/${election}`,
      key: `fake/${election}`,
      revision: epoch,
      token: epoch,
    };
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  isValid(): boolean {
    return !this.signal.aborted;
  }

  remainingMs(): number {
    return this.isValid() ? 1000 : 0;
  }

  async resign(): Promise<void> {
    this.end('resigned');
  }

  end(reason: TermEndReason): void {
    this.controller.abort(new TermEndedError(this.election, this.epoch, reason));
  }
}

/** Elections that are won and lost when the test says so. Stands in for an `ElectionService`. */
export class FakeElections {
  /** What was joined, in order. */
  readonly joined: { election: string; value: string | undefined }[] = [];
  /** What the application did when it ended. */
  readonly left: string[] = [];
  /** What `join` gives. */
  joining: (election: string) => Promise<void> = async () => undefined;
  private readonly terms = new Map<string, BehaviorSubject<FakeTerm | null>>();
  private readonly leaders = new Map<string, Leadership>();
  private epoch = 40n;

  candidates$(): Observable<readonly Candidate[]> {
    return NEVER;
  }

  win(election: string): FakeTerm {
    this.lose(election);
    const term = new FakeTerm(election, ++this.epoch);
    this.subject(election).next(term);
    return term;
  }

  lose(election: string, reason: TermEndReason = 'session-lost'): void {
    const term = this.term(election);
    if (!term) return;
    term.end(reason);
    this.subject(election).next(null);
  }

  /** No more is heard of the election's terms. */
  fallSilent(election: string, error?: Error): void {
    if (error) this.subject(election).error(error);
    else this.subject(election).complete();
  }

  /** Another instance leads. */
  ledBy(election: string, leaderId: string, value = ''): void {
    this.leaders.set(election, { election, leaderId, value, epoch: 7n });
  }

  term(election: string): FakeTerm | null {
    const term = this.subject(election).value;
    return term?.isValid() ? term : null;
  }

  term$(election: string): Observable<LeaderTerm | null> {
    return this.subject(election).asObservable();
  }

  leader(election: string): Leadership | null {
    return this.leaders.get(election) ?? null;
  }

  join(election: string, options?: { value?: string }): Promise<void> {
    this.joined.push({ election, value: options?.value });
    return this.joining(election);
  }

  async withdraw(): Promise<void> {
    this.left.push('withdraw');
  }

  async handOver(drainTimeoutMs: number): Promise<void> {
    this.left.push(`handOver ${drainTimeoutMs}`);
    for (const election of this.terms.keys()) this.lose(election, 'shutdown');
  }

  private subject(election: string): BehaviorSubject<FakeTerm | null> {
    const subject = this.terms.get(election) ?? new BehaviorSubject<FakeTerm | null>(null);
    this.terms.set(election, subject);
    return subject;
  }
}
