import { Logger } from '@nestjs/common';
import { pause, type MonotonicClock } from '../client/clock.js';
import { ClientClosedError, LeaseNotFoundError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import { deleteUnchanged } from '../client/unchanged-delete.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { SessionLease } from '../session/session-lease.js';
import { CandidateEntry, KeyTakenError, type EntryPlace } from './candidate-entry.js';
import type { ElectionView } from './election-view.js';
import type { TermEndReason } from './leader-term.js';
import { OwnTerm } from './own-term.js';

/**
 * Where a candidacy stands.
 *
 * - `preparing`: waiting for a lease, and for the election to be known
 * - `entering`: its key is being put
 * - `waiting`: its key stands behind others
 * - `leading`: its key is the first, and there is a term
 * - `withdrawing`: its key is being deleted
 * - `left`: over for good
 *
 * Whatever ends the key, be it the lease, an operator or a resignation, leads back to
 * `preparing`, unless the candidacy was for one term or was asked to leave.
 */
export type CandidacyState =
  'preparing' | 'entering' | 'waiting' | 'leading' | 'withdrawing' | 'left';

/** What a candidacy stands on, and whom it tells. */
export interface CandidacyGround extends EntryPlace {
  readonly session: EtcdSession;
  readonly view: ElectionView;
  /** A number that no other entry of this process gets. */
  nextSequence(): number;
  /** A term began. Must not throw. */
  elected(term: OwnTerm): void;
  /** A term ended; its signal is aborted by now. Must not throw. */
  ended(term: OwnTerm): void;
}

/** What is done between the end of a term here and the moment at which others may win. */
export type BeforeHandOver = (term: OwnTerm) => Promise<unknown>;

const FAILED = Symbol('failed');
const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** An entry whose answer was lost can still be applied while etcd holds the request, some 7 s. */
const LATE_ENTRY_MS = 10_000;
/** A key that was deleted sooner than this after it was put may be deleted by a machine. */
const SHORT_LIVED_MS = 5000;

/** One standing of this process in an election, for one term or for term after term. */
export class Candidacy {
  /** Resolves when the key stands in etcd for the first time; rejects if it never will. */
  readonly stands: Promise<void>;
  private readonly logger = new Logger(Candidacy.name);
  private readonly leaving = new AbortController();
  private readonly finished: Promise<void>;
  private phase: CandidacyState = 'preparing';
  private leaveReason: TermEndReason = 'left';
  /** The lease is about to be revoked, and every key with it. */
  private shuttingDown = false;
  private beforeHandOver: BeforeHandOver | undefined;
  private entry: CandidateEntry | null = null;
  /** How often in a row the key was deleted by somebody else soon after it was put. */
  private deletions = 0;
  private removing = false;
  private settleStands!: { resolve: () => void; reject: (error: unknown) => void };

  constructor(
    private readonly ground: CandidacyGround,
    private value: string,
    private readonly oneTerm: boolean,
  ) {
    this.stands = new Promise((resolve, reject) => (this.settleStands = { resolve, reject }));
    // Not everybody asks whether it stands, and that must not be an unhandled rejection.
    this.stands.catch(() => undefined);
    this.finished = this.run();
  }

  get state(): CandidacyState {
    return this.phase;
  }

  /** Whether it is on its way out, or out. */
  get isEnding(): boolean {
    return this.leaving.signal.aborted;
  }

  /** Changes what the candidate says of itself; its place in the queue stays. */
  async proclaim(value: string): Promise<void> {
    const before = this.value;
    this.value = value;
    try {
      await this.entry?.proclaim(value);
    } catch (error) {
      // What was refused is not to be put at the next entry either.
      if (this.value === value) this.value = before;
      throw error;
    }
  }

  /**
   * Ends the candidacy, and its term at once. Resolves when the key is gone from etcd, or
   * is certain to go with its lease.
   */
  leave(reason: TermEndReason, beforeHandOver?: BeforeHandOver): Promise<void> {
    this.shuttingDown ||= reason === 'shutdown';
    if (!this.isEnding) {
      this.leaveReason = reason;
      this.beforeHandOver = beforeHandOver;
      this.leaving.abort(new Error('the candidacy was left'));
    }
    return this.finished;
  }

  /** Resolves when the candidacy is over for good. Never rejects. */
  whenLeft(): Promise<void> {
    return this.finished;
  }

  private async run(): Promise<void> {
    const { signal } = this.leaving;
    for (let failures = 0; !signal.aborted;) {
      let lease: SessionLease | undefined;
      try {
        this.phase = 'preparing';
        lease = await this.ground.session.ready(signal);
        await this.ground.view.ready(signal);
        const { era } = this.ground.view;
        const entry = await this.enter(lease);
        failures = 0;
        const led = await this.stand(lease, entry, era);
        if (led && this.oneTerm) break;
        // Whoever goes on deleting the key is not to be outrun.
        if (this.deletions > 1) await this.pauseUnlessLeaving(retryDelay(this.deletions, RETRY));
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof LeaseNotFoundError && lease) {
          this.ground.session.reportGone(lease);
          continue;
        }
        if (isFinalFailure(error) || this.ground.view.error) {
          if (!(error instanceof ClientClosedError)) {
            this.logger.error(`${this.name} cannot be entered: ${String(error)}`);
          }
          this.settleStands.reject(error);
          this.leaving.abort(error);
          break;
        }
        failures += 1;
        if (failures === 2) {
          this.logger.warn(
            `${this.name} cannot be entered yet, it is tried again: ${String(error)}`,
          );
        }
        await this.pauseUnlessLeaving(retryDelay(failures, RETRY));
      }
    }
    await this.withdraw();
    this.phase = 'left';
    this.settleStands.reject(signal.reason);
  }

  /** Puts the key. An entry whose answer was lost is asked again, and so settled, not replaced. */
  private async enter(lease: SessionLease): Promise<CandidateEntry> {
    this.phase = 'entering';
    if (this.entry?.lease !== lease) {
      this.entry = new CandidateEntry(this.ground, lease, this.ground.nextSequence(), this.value);
    }
    const { entry } = this;
    try {
      await entry.enter();
    } catch (error) {
      if (error instanceof KeyTakenError) this.entry = null;
      throw error;
    }
    await entry.proclaim(this.value);
    this.settleStands.resolve();
    return entry;
  }

  /** Lasts for as long as the key does. Resolves with whether there was a term. */
  private async stand(lease: SessionLease, entry: CandidateEntry, era: number): Promise<boolean> {
    this.phase = 'waiting';
    const { view } = this.ground;
    const since = this.clock.now();
    let term: OwnTerm | undefined;
    let endedBy: TermEndReason | undefined;
    let handedOver: () => void = () => undefined;
    const resigned = new Promise<void>((resolve) => (handedOver = resolve));
    const reason = await new Promise<TermEndReason>((resolve) => {
      // The term ends here before anything else happens: before the event loop turns,
      // before the key is deleted, before anybody else can win.
      const end = (why: TermEndReason) => {
        if (endedBy) return;
        endedBy = why;
        unsubscribe();
        lease.signal.removeEventListener('abort', look);
        this.leaving.signal.removeEventListener('abort', look);
        if (term) this.endTerm(term, why);
        resolve(why);
      };
      const look = () => {
        if (!lease.isValid()) return end('session-lost');
        if (this.leaving.signal.aborted) return end(this.leaveReason);
        // Blind, it could neither win nor know that it lost; etcd will say so again on entering.
        if (view.error) return end('refused');
        const standing = view.standing(entry.key, entry.createRevision!, era);
        if (standing === 'gone') return end('key-deleted');
        if (standing === 'waiting') this.removeOrphan(entry, lease);
        if (standing !== 'first' || term) return;
        term = this.newTerm(lease, entry, async (why) => {
          if (term!.isValid()) end(why);
          // A shutdown waits for the work under the term; work that resigns in turn must not
          // wait for the shutdown.
          if (endedBy === 'resigned') await resigned;
        });
        // Those who are told may end it before this returns.
        this.ground.elected(term);
      };
      const unsubscribe = view.subscribe(look);
      lease.signal.addEventListener('abort', look);
      this.leaving.signal.addEventListener('abort', look);
      look();
    });
    const shortLived = reason === 'key-deleted' && this.clock.now() - since < SHORT_LIVED_MS;
    this.deletions = shortLived ? this.deletions + 1 : 0;
    if (term && reason === this.leaveReason) await this.beforeHandOver?.(term);
    // A deleted key is asked to be deleted all the same: the view may have lost sight of it
    // in a restored database, and left behind it would be waited for.
    if (reason === 'session-lost') this.entry = null;
    await this.withdraw();
    handedOver();
    return term !== undefined;
  }

  private newTerm(
    lease: SessionLease,
    { key, createRevision }: CandidateEntry,
    giveUp: (reason: TermEndReason) => Promise<void>,
  ): OwnTerm {
    this.phase = 'leading';
    const { election } = this.ground;
    const revision = createRevision!;
    const fence = { resource: `election/${election}`, key, revision, token: revision };
    const term = new OwnTerm(election, fence, lease, giveUp);
    this.logger.log(`Elected in ${JSON.stringify(election)}, epoch ${term.epoch}.`);
    return term;
  }

  private endTerm(term: OwnTerm, reason: TermEndReason): void {
    term.end(reason);
    this.logger.log((term.signal.reason as Error).message);
    this.ground.ended(term);
  }

  private async withdraw(): Promise<void> {
    const { entry } = this;
    this.entry = null;
    if (!entry?.mayStand) return;
    this.phase = 'withdrawing';
    await this.deleteKey(entry);
    if (entry.mayComeLate && entry.lease.isValid()) this.deleteLateKey(entry);
  }

  /**
   * Deletes the key, however often it takes: left behind, it would hold up everybody after
   * it for as long as this process lives. It goes with its lease at the latest.
   */
  private deleteKey(entry: CandidateEntry): Promise<void> {
    return new Promise((resolve) => void this.tryToDelete(entry, resolve));
  }

  private async tryToDelete(entry: CandidateEntry, done: () => void): Promise<void> {
    const { signal } = entry.lease;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await entry.withdraw();
        break;
      } catch (error) {
        if (isFinalFailure(error)) {
          this.logger.warn(`The key ${entry.key} stays until its lease ends: ${String(error)}`);
          break;
        }
        if (attempt === 1) {
          this.logger.warn(
            `The key ${entry.key} cannot be deleted yet, it is tried again: ${String(error)}`,
          );
        }
        // A shutdown does not wait for an absent etcd; its last step revokes the lease.
        if (this.shuttingDown) done();
        await pause(this.clock, retryDelay(attempt, RETRY), signal).catch(() => undefined);
      }
    }
    done();
  }

  /** What stands ahead may belong to nobody any more; the first behind it takes it away. */
  private removeOrphan(entry: CandidateEntry, lease: SessionLease): void {
    const orphan = this.ground.view.orphanAhead(entry.key);
    if (!orphan || this.removing || this.isEnding || !lease.isValid()) return;
    this.removing = true;
    this.logger.warn(
      `The key ${orphan.key.toString()} was put over by somebody and is on no candidate's lease any more; deleting it.`,
    );
    void deleteUnchanged(this.ground.client, orphan)
      .catch((error: unknown) => {
        this.logger.warn(`It cannot be deleted yet, it is tried again: ${String(error)}`);
        return this.pauseUnlessLeaving(RETRY.maxDelayMs).then(() => FAILED);
      })
      .then((outcome) => {
        this.removing = false;
        const next = this.ground.view.orphanAhead(entry.key);
        // The one just deleted is shown until the watch tells that it is gone.
        if (this.entry === entry && (next !== orphan || outcome === FAILED))
          this.removeOrphan(entry, lease);
      });
  }

  /** A request to put the key whose answer was lost may yet be applied, and nobody would know the key. */
  private deleteLateKey(entry: CandidateEntry): void {
    const cancel = this.clock.setTimer(() => void this.deleteKey(entry), LATE_ENTRY_MS);
    entry.lease.signal.addEventListener('abort', cancel, { once: true });
  }

  private async pauseUnlessLeaving(ms: number): Promise<void> {
    await pause(this.clock, ms, this.leaving.signal).catch(() => undefined);
  }

  private get clock(): MonotonicClock {
    return this.ground.client.clock;
  }

  private get name(): string {
    return `The election ${JSON.stringify(this.ground.election)}`;
  }
}
