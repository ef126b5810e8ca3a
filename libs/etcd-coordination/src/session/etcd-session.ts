import { Logger } from '@nestjs/common';
import { BehaviorSubject, distinctUntilChanged, type Observable } from 'rxjs';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError, LeaseExistsError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import { settledWithin } from '../client/settled-within.js';
import type { MonotonicClock } from '../client/clock.js';
import { randomLeaseId } from './lease-id.js';
import { LeaseKeeper } from './lease-keeper.js';
import { SessionLease } from './session-lease.js';
import { SessionLostError, type LeaseEndReason } from './session-lost.error.js';
import type { SessionOptions } from './session-options.js';
import { nextSessionState, type SessionEvent, type SessionState } from './session-state.js';

/** Pauses between attempts to get a lease while etcd is away. */
const REGRANT = { initialDelayMs: 100, maxDelayMs: 2000 };

/** How long the lease that was given up is kept for what is to move from it. */
const MOVE_MS = 2000;

/**
 * Moves what stands on an older lease to this one. Resolves when that is done, or there is nothing
 * to move; the lease's end need not be waited for.
 */
export type LeaseMove = (lease: SessionLease) => Promise<unknown>;

/** That etcd refuses a lease, rather than being away. */
export interface LeaseRefusal {
  readonly error: EtcdCoordinationError;
  /** Milliseconds for which every attempt was refused. */
  readonly forMs: number;
}

interface Waiter {
  resolve(lease: SessionLease): void;
  reject(error: Error): void;
}

/**
 * The one lease of this process on a connection, on which everything it owns stands:
 * taken at the start, kept alive, and taken anew by itself when it was lost. Whoever
 * stands on a lease watches that lease's own signal, and asks {@link ready} for the next.
 */
export class EtcdSession {
  /** Every state the session goes through, beginning with the present one. */
  readonly state$: Observable<SessionState>;
  private readonly logger = new Logger(EtcdSession.name);
  private readonly states = new BehaviorSubject<SessionState>('idle');
  private readonly waiters = new Set<Waiter>();
  private current: SessionLease | null = null;
  private keeper: LeaseKeeper | null = null;
  private starting: Promise<void> | undefined;
  private closing: Promise<void> | undefined;
  private cancelRetry: () => void = () => undefined;
  /** Leases that may still stand in etcd though this process has given them up. */
  private readonly stale = new Set<string>();
  private readonly moves = new Set<LeaseMove>();
  private refused: { readonly error: EtcdCoordinationError; readonly since: number } | null = null;

  constructor(
    private readonly client: EtcdClient,
    private readonly options: SessionOptions,
    private readonly clock: MonotonicClock = client.clock,
  ) {
    this.state$ = this.states.pipe(distinctUntilChanged());
  }

  /** Where the session stands now. */
  get state(): SessionState {
    return this.states.value;
  }

  /**
   * Why etcd refuses a lease, as it does with a wrong password; null while there is one, none was asked
   * for, or etcd merely does not answer. It is asked again all the same.
   */
  get refusal(): LeaseRefusal | null {
    if (!this.refused) return null;
    const { error, since } = this.refused;
    return { error, forMs: this.clock.now() - since };
  }

  /** The lease that stands now, or null. */
  get lease(): SessionLease | null {
    return this.current?.isValid() ? this.current : null;
  }

  /**
   * Takes the first lease. From then on the session looks after itself. If there is none to be had
   * and `mayWait` says of the reason that there may be one later, it goes on asking in the
   * background, and this resolves without one.
   *
   * @throws an EtcdCoordinationError if etcd grants none, or ClientClosedError if it is
   *   closed meanwhile; the session is closed then
   */
  start(mayWait: (error: unknown) => boolean = () => false): Promise<void> {
    return (this.starting ??= this.begin(mayWait));
  }

  /** As {@link start}, in the background: for a process that has started while etcd is away. Never fails. */
  startLater(): void {
    this.starting ??= this.beginLater();
  }

  /**
   * Resolves with the lease that stands, at once or when there is one again.
   *
   * @throws ClientClosedError when the session is closed; the signal's reason when that aborts
   */
  ready(signal?: AbortSignal): Promise<SessionLease> {
    if (this.lease) return Promise.resolve(this.lease);
    if (this.closing) return Promise.reject(this.closedError());
    return new Promise((resolve, reject) => {
      const abort = () => {
        this.waiters.delete(waiter);
        reject(signal!.reason as Error);
      };
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          signal?.removeEventListener('abort', abort);
          how(value);
        };
      const waiter: Waiter = { resolve: settle(resolve), reject: settle(reject) };
      if (signal?.aborted) return reject(signal.reason as Error);
      signal?.addEventListener('abort', abort, { once: true });
      this.waiters.add(waiter);
    });
  }

  /** A call showed that etcd no longer knows this lease. */
  reportGone(lease: SessionLease): void {
    lease.end('gone');
  }

  /**
   * Has the lease that was lost revoked only when `move` is done with the new one, so that nobody
   * sees a key go that comes back. For at most 2 s: others may be waiting for what stands on it.
   * Returns what ends that.
   */
  beforeRevocation(move: LeaseMove): () => void {
    this.moves.add(move);
    return () => this.moves.delete(move);
  }

  /** Gives everything up: ends the lease here, then revokes it in etcd. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private async begin(mayWait: (error: unknown) => boolean): Promise<void> {
    try {
      if (!this.move('started')) throw this.closedError();
      await this.acquire();
    } catch (error) {
      if (!this.closing && mayWait(error)) {
        // That this one failed has been told.
        this.retry(2, retryDelay(1, REGRANT));
        return;
      }
      await this.close();
      throw error;
    }
  }

  private async beginLater(): Promise<void> {
    if (!this.move('started')) return;
    try {
      await this.client.whenConnected();
    } catch {
      return void this.close();
    }
    await this.reacquire(1);
  }

  private async shutDown(): Promise<void> {
    const lease = this.lease;
    this.move('close-asked');
    this.cancelRetry();
    this.keeper?.stop();
    lease?.end('closed');
    for (const waiter of this.waiters) waiter.reject(this.closedError());
    this.waiters.clear();
    if (lease) this.stale.add(lease.id);
    await this.revokeStale((id, error) =>
      this.logger.warn(
        `The lease ${hex(id)} could not be revoked; its keys stay until it runs out: ${String(error)}`,
      ),
    );
    this.move('ended');
    this.states.complete();
  }

  private async acquire(): Promise<void> {
    const id = randomLeaseId();
    const sentAt = this.clock.now();
    // Should it be closed meanwhile, this one is revoked too.
    this.stale.add(id);
    const ttlSeconds = await this.grant(id).catch((error: unknown) => {
      // If it was granted unheard, there is nothing on it, and it runs out by itself.
      this.stale.delete(id);
      throw error;
    });
    if (this.closing) throw this.closedError();
    const lease = new SessionLease(id, ttlSeconds * 1000, sentAt, this.clock, (reason) =>
      this.lost(lease, reason),
    );
    // A grant that was answered so late that nothing of it is left is as good as none.
    if (!lease.isValid()) throw new SessionLostError(id, 'expired');
    this.stale.delete(id);
    this.keeper = new LeaseKeeper(this.client, id, lease.ttlMs, this.clock, {
      answered: (at) => {
        lease.renew(at);
        if (lease.isValid()) this.move('answered');
      },
      missed: () => {
        if (lease.isValid()) this.move('missed');
      },
      gone: () => lease.end('gone'),
    });
    this.current = lease;
    this.refused = null;
    this.keeper.start(sentAt);
    this.move('granted');
    this.logger.debug(`Holding the lease ${hex(id)}, granted for ${ttlSeconds} s.`);
    for (const waiter of this.waiters) waiter.resolve(lease);
    this.waiters.clear();
    void this.moveAndRevoke(lease);
  }

  private async moveAndRevoke(lease: SessionLease): Promise<void> {
    if (this.stale.size > 0 && this.moves.size > 0) {
      await this.moved(lease);
      // Lost in turn: what is to move has not moved, and the next lease sees to it all.
      if (this.current !== lease) return;
    }
    await this.revokeStale();
  }

  private async moved(lease: SessionLease): Promise<void> {
    let over: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (over = resolve));
    lease.signal.addEventListener('abort', over, { once: true });
    const moves = [...this.moves].map(async (move) => move(lease));
    const done = Promise.race([Promise.allSettled(moves), ended]);
    await settledWithin(this.clock, done, MOVE_MS);
    lease.signal.removeEventListener('abort', over);
  }

  /** Asks for the lease and reads back how long it was granted for, in seconds. */
  private async grant(id: string): Promise<number> {
    try {
      return Number((await this.client.leaseGrant(id, this.options.ttlSeconds)).TTL);
    } catch (error) {
      if (!(error instanceof LeaseExistsError)) throw error;
      // The id is random, so it is ours: an earlier request was taken and its answer lost.
      return Number((await this.client.leaseTimeToLive(id)).grantedTTL);
    }
  }

  private lost(lease: SessionLease, reason: LeaseEndReason): void {
    if (this.current !== lease) return;
    this.keeper?.stop();
    this.keeper = null;
    this.current = null;
    if (reason === 'closed' || this.closing) return;
    this.stale.add(lease.id);
    this.move('expired');
    this.logger.warn(`${(lease.signal.reason as Error).message} Taking a new one.`);
    // Those above are told first; then the session begins anew.
    this.retry(1, 0);
  }

  private retry(attempt: number, delayMs: number): void {
    this.cancelRetry = this.clock.setTimer(() => void this.reacquire(attempt), delayMs);
  }

  private async reacquire(attempt: number): Promise<void> {
    if (this.closing) return;
    this.move('retried');
    try {
      await this.acquire();
      return;
    } catch (error) {
      if (this.closing) return;
      if (error instanceof ClientClosedError) return void this.close();
      this.noteRefusal(error);
      if (attempt === 1) {
        this.logger.warn(
          `No new lease yet, it is tried again until there is one: ${String(error)}`,
        );
      }
    }
    this.retry(attempt + 1, retryDelay(attempt, REGRANT));
  }

  /** An etcd that does not answer has taken its refusal back, as far as is known. */
  private noteRefusal(error: unknown): void {
    const isRefusal = error instanceof EtcdCoordinationError && isFinalFailure(error);
    const since = this.refused?.since ?? this.clock.now();
    this.refused = isRefusal ? { error, since } : null;
  }

  /** Frees what others may be waiting for, rather than letting it run out. */
  private async revokeStale(failed?: (id: string, error: unknown) => void): Promise<void> {
    const ids = [...this.stale];
    this.stale.clear();
    const revoked = ids.map(async (id) => {
      try {
        await this.client.leaseRevoke(id);
      } catch (error) {
        failed?.(id, error);
      }
    });
    await Promise.all(revoked);
  }

  private closedError(): ClientClosedError {
    return new ClientClosedError(this.client.options.connection);
  }

  private move(event: SessionEvent): boolean {
    const next = nextSessionState(this.state, event);
    if (next === null) return false;
    this.states.next(next);
    return true;
  }
}

function hex(id: string): string {
  return BigInt(id).toString(16);
}
