import { BehaviorSubject, Observable, queueScheduler, Subject, takeUntil } from 'rxjs';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { currentTerm } from './current-term.js';
import { Candidacy, type CandidacyGround } from './candidacy.js';
import { CandidacyEndedError } from './candidacy-ended.error.js';
import { assertElectionName } from './election-name.js';
import { readCandidacyOptions } from './invalid-candidacy.error.js';
import type { CandidacyOptions, ElectionIdentity } from './election-options.js';
import { furthest, type ElectionStatus } from './election-status.js';
import { ElectionView, readCandidates } from './election-view.js';
import type { LeaderTerm } from './leader-term.js';
import type { Candidate, Leadership } from './leadership.js';
import type { OwnTerm } from './own-term.js';

/** How long the watch of an election stays after its last use, in milliseconds. */
const LINGER_MS = 10_000;

const SHUTTING_DOWN = 'the application is shutting down';

/** What this process has to do with one election. */
interface OwnElection {
  readonly term$: BehaviorSubject<OwnTerm | null>;
  readonly candidacies: Set<Candidacy>;
  /** The candidacy of `join`, which goes on term after term. */
  joined: Candidacy | null;
  view: ElectionView | null;
  uses: number;
  cancelLinger: (() => void) | undefined;
}

/**
 * Leader election: of any number of processes that stand in an election, one leads, and
 * when it ends the one that waited longest is next.
 *
 * An election is a prefix in etcd under which every candidate puts a key on its session's
 * lease; the key with the lowest create revision leads, and that revision is the epoch of
 * its term. The algorithm is that of etcd's own `concurrency.Election`, on a standing
 * watch, and with an end to each term that this process knows of before anybody else can
 * win.
 */
export class ElectionService {
  private readonly elections = new Map<string, OwnElection>();
  private sequence = 0;
  private shuttingDown = false;
  private isOver = false;
  /** Emits when this process follows no election any more. */
  private readonly over = new Subject<void>();

  constructor(
    private readonly deps: ElectionIdentity & {
      readonly client: EtcdClient;
      readonly session: EtcdSession;
      readonly watch: WatchHub;
    },
  ) {}

  /**
   * Stands in an election until {@link leave}: elected again and again, and back in the
   * queue by itself after a lost lease, an outage or a resignation. Resolves when the
   * candidacy stands in etcd, which it may long before it wins. Joining again is joining
   * once; another `value` then replaces the first.
   *
   * @throws InvalidElectionNameError for a name that none can have
   * @throws InvalidCandidacyError for a value or a signal that it cannot take
   * @throws EtcdPermissionDeniedError if the user may not write there
   * @throws CandidacyEndedError if the election is left, or the signal aborts, before it stands
   */
  async join(election: string, options?: CandidacyOptions): Promise<void> {
    assertElectionName(election);
    const { value, signal } = readCandidacyOptions(election, options);
    const own = this.enter(election, signal);
    let { joined } = own;
    if (!joined || joined.isEnding) {
      own.joined = joined = this.stand(election, own, value, false);
    } else if (value !== undefined) {
      await joined.proclaim(value);
    }
    const leave = () => void joined.leave('left');
    if (signal?.aborted) leave();
    signal?.addEventListener('abort', leave, { once: true });
    void joined.whenLeft().then(() => signal?.removeEventListener('abort', leave));
    try {
      await joined.stands;
    } catch (error) {
      throw ended(election, signal, error, this.whyLeft());
    }
  }

  /**
   * Stands in an election for one term, and resolves with it when it is won. Each campaign
   * is a candidate of its own: two of one process follow each other like any other two.
   *
   * @throws InvalidElectionNameError for a name that none can have
   * @throws InvalidCandidacyError for a value or a signal that it cannot take
   * @throws EtcdPermissionDeniedError if the user may not write there
   * @throws CandidacyEndedError if the election is left, or the signal aborts, before the win
   */
  campaign(election: string, options?: CandidacyOptions): Promise<LeaderTerm> {
    return new Promise((resolve, reject) => {
      assertElectionName(election);
      const { value, signal } = readCandidacyOptions(election, options);
      const own = this.enter(election, signal);
      const candidacy = this.stand(election, own, value, true, resolve);
      const leave = () => {
        void candidacy.leave('left');
        // A win that was reported is not taken back by this; one that was not never will be.
        reject(ended(election, signal, signal?.reason));
      };
      signal?.addEventListener('abort', leave, { once: true });
      candidacy.stands.catch((error: unknown) =>
        reject(ended(election, signal, error, this.whyLeft())),
      );
      void candidacy.whenLeft().then(() => {
        signal?.removeEventListener('abort', leave);
        reject(ended(election, signal, undefined, this.whyLeft()));
      });
    });
  }

  /**
   * Ends every candidacy of this process in an election, and its term: the signal aborts
   * first, then the key is deleted and the next candidate wins. Resolves when that is done;
   * during a shutdown, work under a term does not wait for it, as the shutdown waits for the work.
   *
   * @throws InvalidElectionNameError for a name that none can have
   */
  async leave(election: string): Promise<void> {
    assertElectionName(election);
    const own = this.elections.get(election);
    const left = Promise.all([...(own?.candidacies ?? [])].map((c) => c.leave('left')));
    if (!this.shuttingDown || !currentTerm()) await left;
  }

  /** This process's own term, if it leads now by the clock. Makes no call. */
  term(election: string): LeaderTerm | null {
    const term = this.elections.get(election)?.term$.value;
    return term?.isValid() ? term : null;
  }

  /** This process's own terms as they begin and end, the present one or null first. */
  term$(election: string): Observable<LeaderTerm | null> {
    assertElectionName(election);
    return new Observable((subscriber) => this.own(election).term$.subscribe(subscriber));
  }

  /**
   * Who leads, as it changes, the present leader or null first. Works without standing in
   * the election. Errors only if etcd refuses to show it, and completes at the shutdown.
   */
  observe(election: string): Observable<Leadership | null> {
    return this.follow(election, (view) => view.leader(), isSame);
  }

  /**
   * All candidates in the order in which they lead, as they change, the present ones first. Works and
   * ends as {@link observe}.
   */
  candidates$(election: string): Observable<readonly Candidate[]> {
    return this.follow(election, (view) => view.candidates(), areSame);
  }

  /** Who leads, as far as this process knows; null if nobody does or it does not follow the election. */
  leader(election: string): Leadership | null {
    return this.elections.get(election)?.view?.leader() ?? null;
  }

  /** How this process stands in each election that it takes part in, or follows. Makes no call. */
  statuses(): ElectionStatus[] {
    const known = [...this.elections].filter(
      ([, { candidacies, view }]) => view || candidacies.size,
    );
    return known.map(([election, { candidacies, view }]) => ({
      election,
      candidacy: furthest([...candidacies].map(({ state }) => state)),
      term: this.term(election),
      leader: view?.leader() ?? null,
      error: view?.error ?? null,
    }));
  }

  /**
   * All candidates in the order in which they lead, the present leader first, as etcd has
   * them now.
   *
   * @throws InvalidElectionNameError for a name that none can have, and what the reading
   *   fails with when etcd refuses it or is away
   */
  async candidates(election: string): Promise<readonly Candidate[]> {
    assertElectionName(election);
    const { client, namespace } = this.deps;
    return readCandidates(client, namespace, election);
  }

  /** The first step of a shutdown: takes no more candidacies and ends those that do not lead. */
  async withdraw(): Promise<void> {
    this.shuttingDown = true;
    const waiting = this.all().filter((candidacy) => candidacy.state !== 'leading');
    await Promise.all(waiting.map((candidacy) => candidacy.leave('shutdown')));
  }

  /**
   * The second step: the terms' signals abort, what runs under them gets up to
   * `drainTimeoutMs` to end, and the keys are deleted, so that others lead at once.
   */
  async handOver(drainTimeoutMs: number): Promise<void> {
    this.shuttingDown = true;
    const drain = (term: OwnTerm) => term.drained(drainTimeoutMs);
    await Promise.all(this.all().map((candidacy) => candidacy.leave('shutdown', drain)));
    this.isOver = true;
    this.over.next();
    for (const own of this.elections.values()) {
      own.cancelLinger?.();
      this.closeView(own);
      own.term$.complete();
    }
  }

  /** What the election's view shows, whenever it is another than before. */
  private follow<T>(
    election: string,
    read: (view: ElectionView) => T,
    isSameAs: (a: T, b: T) => boolean,
  ): Observable<T> {
    assertElectionName(election);
    return new Observable<T>((subscriber) => {
      const view = this.use(election);
      let last: { readonly told: T } | null = null;
      const tell = () => {
        if (view.error) return subscriber.error(view.error);
        if (!view.synced) return;
        const shown = read(view);
        if (last && isSameAs(last.told, shown)) return;
        last = { told: shown };
        subscriber.next(shown);
      };
      const unsubscribe = view.subscribe(tell);
      tell();
      return () => {
        unsubscribe();
        this.release(election);
      };
    }).pipe(takeUntil(this.over));
  }

  private whyLeft(): string {
    return this.shuttingDown ? SHUTTING_DOWN : 'the election was left';
  }

  private all(): Candidacy[] {
    return [...this.elections.values()].flatMap((own) => [...own.candidacies]);
  }

  private enter(election: string, signal: AbortSignal | undefined): OwnElection {
    if (this.shuttingDown) {
      throw new CandidacyEndedError(election, SHUTTING_DOWN);
    }
    if (signal?.aborted) throw ended(election, signal, signal.reason);
    return this.own(election);
  }

  private stand(
    election: string,
    own: OwnElection,
    value: string | undefined,
    oneTerm: boolean,
    elected?: (term: OwnTerm) => void,
  ): Candidacy {
    const ground: CandidacyGround = {
      ...this.deps,
      election,
      view: this.use(election),
      nextSequence: () => this.sequence++,
      elected: (term) => {
        elected?.(term);
        tell(() => own.term$.next(term));
      },
      ended: (term) => {
        tell(() => own.term$.value === term && own.term$.next(null));
      },
    };
    const candidacy = new Candidacy(ground, value ?? '', oneTerm);
    own.candidacies.add(candidacy);
    void candidacy.whenLeft().then(() => {
      own.candidacies.delete(candidacy);
      if (own.joined === candidacy) own.joined = null;
      this.release(election);
    });
    return candidacy;
  }

  private own(election: string): OwnElection {
    let own = this.elections.get(election);
    if (!own) {
      own = {
        term$: new BehaviorSubject<OwnTerm | null>(null),
        candidacies: new Set(),
        joined: null,
        view: null,
        uses: 0,
        cancelLinger: undefined,
      };
      if (this.isOver) own.term$.complete();
      this.elections.set(election, own);
    }
    return own;
  }

  private use(election: string): ElectionView {
    const own = this.own(election);
    own.cancelLinger?.();
    own.uses += 1;
    const { client, watch, namespace } = this.deps;
    // A refusal is final for its view, and not for those who ask later.
    if (own.view?.error) this.closeView(own);
    return (own.view ??= new ElectionView(client, watch, namespace, election));
  }

  private release(election: string): void {
    const own = this.elections.get(election)!;
    own.uses -= 1;
    if (own.uses > 0) return;
    if (this.shuttingDown) return this.closeView(own);
    // Whoever comes back soon finds the watch standing, and need not wait for a new one.
    own.cancelLinger = this.deps.client.clock.setTimer(() => {
      this.closeView(own);
      if (!own.term$.observed) this.elections.delete(election);
    }, LINGER_MS);
  }

  private closeView(own: OwnElection): void {
    own.view?.close();
    own.view = null;
  }
}

/** In order and to everybody, even if one who is told a term ends it at once. */
function tell(work: () => unknown): void {
  queueScheduler.schedule(() => void work());
}

function isSame(a: Leadership | null, b: Leadership | null): boolean {
  return a?.epoch === b?.epoch && a?.value === b?.value;
}

function areSame(a: readonly Candidate[], b: readonly Candidate[]): boolean {
  const isAt = (candidate: Candidate, at: number) =>
    candidate.since === b[at]!.since && candidate.value === b[at]!.value;
  return a.length === b.length && a.every(isAt);
}

function ended(
  election: string,
  signal: AbortSignal | undefined,
  cause: unknown,
  why = 'the election was left',
): Error {
  if (signal?.aborted) return new CandidacyEndedError(election, 'its signal was aborted', cause);
  if (cause instanceof EtcdCoordinationError) return cause;
  return new CandidacyEndedError(election, why, cause);
}
