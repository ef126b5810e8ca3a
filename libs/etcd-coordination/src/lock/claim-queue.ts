import { setTimeout as pause } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { LeaseNotFoundError, WriteOutcomeUnknownError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { lockEntrySegment } from '../client/keys.js';
import { retryDelay } from '../client/retry-delay.js';
import { deleteUnchanged } from '../client/unchanged-delete.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { SessionLease } from '../session/session-lease.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { Claim, type ClaimOwner } from './claim.js';
import { ClaimRequests, type Asker, type QueueKind } from './claim-requests.js';
import { decodeLockRecord } from './lock-record.js';
import { countGranted, readQueue, readQueueKey, type QueueEntry } from './queue-entry.js';
import { OrphanRemoval } from './orphan-removal.js';
import { QueueView } from './queue-view.js';
import { SemaphorePermitsError } from './lock.errors.js';

/** What all queues of a connection stand on. */
export interface QueueGround extends Asker {
  readonly session: EtcdSession;
  readonly watch: WatchHub;
}

/** Who was found to hold what was asked for. */
export interface Found {
  readonly holder: string | null;
  /** Whether the holder may not need it any more, and gives it up when asked. */
  readonly mayYield: boolean;
}

const NO_KEYS: ReadonlySet<string> = new Set();
const RETRY = { initialDelayMs: 50, maxDelayMs: 1000 };
/** How often one who does not wait is tried. */
const ATTEMPTS_IF_FREE = 3;
/** How long the watch of a queue stays after its last use, in milliseconds. */
const LINGER_MS = 10_000;

/**
 * The queue of one lock or semaphore, and this process's keys in it: first come, first served by
 * create revision, which is also what a grant is fenced by. The algorithm is that of etcd's own
 * `concurrency.Mutex`, with one transaction to enter and one to leave, on a standing watch where
 * there is something to wait for.
 */
export class ClaimQueue {
  private readonly logger = new Logger('LockService');
  private readonly requests: ClaimRequests;
  private readonly claims = new Map<string, Claim>();
  /** By its slot, every claim of which something may stand in etcd. */
  private readonly slots = new Map<number, Claim>();
  private view: QueueView | null = null;
  private uses = 0;
  private linger: NodeJS.Timeout | undefined;
  /** Given back, with the deletion under way: what stands behind them is next, whoever tells so. */
  private readonly departing = new Set<Claim>();
  private readonly orphans: OrphanRemoval;
  private established = false;

  constructor(
    private readonly ground: QueueGround,
    readonly kind: QueueKind,
    /** Called after each change that the view tells, and when the view is closed. */
    private readonly changed: () => void = () => undefined,
  ) {
    this.requests = new ClaimRequests(ground, kind);
    this.orphans = new OrphanRemoval(ground.client, () => this.look(NO_KEYS));
  }

  /** Whether nothing of this process is left in it, so that it can be forgotten. */
  get isUnused(): boolean {
    return this.slots.size === 0 && !this.view;
  }

  /** Whether something of this process may stand in it. */
  get isClaimed(): boolean {
    return this.slots.size > 0;
  }

  /** Claims of which nobody tells that their key is gone: there is no view. */
  get unobserved(): Iterable<Claim> {
    return this.view ? [] : this.claims.values();
  }

  /** Whether somebody besides that claim stands in the queue, or may, as far as this process can tell. */
  mayOthersWait(own: Claim): boolean {
    if (!this.view?.synced) return true;
    return this.view.entries.some(({ key }) => key !== own.key);
  }

  /** Whether somebody besides that claim is seen to stand in the queue. */
  seesOthers(own: Claim): boolean {
    return this.view?.synced === true && this.mayOthersWait(own);
  }

  /** Who came first, as far as this process knows. */
  get holder(): string | null {
    const [first] = this.view?.entries ?? [];
    return first ? decodeLockRecord(first.kv.value).id || null : null;
  }

  /** A new claim on a lease. It is nothing in etcd until it enters. */
  claim(lease: SessionLease, owner: ClaimOwner, { shared = false, keep = false } = {}): Claim {
    let slot = 0;
    while (this.slots.has(slot)) slot += 1;
    const id = { leaseId: BigInt(lease.id), slot, shared };
    const claim = new Claim(this.kind.prefix + lockEntrySegment(id), slot, shared, keep, lease, {
      granted: () => owner.granted(),
      lost: (reason) => {
        void this.cleanUp(claim);
        owner.lost(reason);
      },
    });
    this.slots.set(slot, claim);
    this.claims.set(claim.key, claim);
    return claim;
  }

  /**
   * Puts the claim's key, and in the same transaction deletes that of `leaving`, if it is given. The
   * claim is granted at once or when its turn has come; its owner is told.
   *
   * @param mayLookLater whether it may be left to the view, if there is one, to tell whose turn it is:
   *   the request is smaller then
   * @throws what etcd refuses it with for good; the claim is over then. A lost lease is told to the
   *   owner instead
   */
  enter(claim: Claim, leaving?: Claim, mayLookLater = false): Promise<void> {
    const entering = this.enterEventually(claim, leaving, mayLookLater);
    claim.entering = entering.catch(() => undefined);
    return entering;
  }

  /**
   * Puts the claim's key if nobody stands in the queue, and grants it. Otherwise tells who does; the
   * claim is over then, and has left nothing behind.
   *
   * @throws what etcd refuses it with, or fails with more than once; the claim is over then, too
   */
  enterIfFree(claim: Claim): Promise<Found | null> {
    const entering = this.tryToEnter(claim);
    claim.entering = entering.catch(() => undefined);
    return entering;
  }

  /**
   * Deletes the claim's key. Resolves when it is gone from etcd, or certain to go with its lease: with
   * whether it stood until then.
   *
   * @param nextMayBegin whether a claim of this process that comes next need not wait for that: nobody
   *   else can come before it, and nothing that this one guards is under way any more
   */
  withdraw(claim: Claim, nextMayBegin = false): Promise<boolean> {
    claim.end(null);
    if (nextMayBegin) {
      this.departing.add(claim);
      this.look(NO_KEYS);
    }
    return this.cleanUp(claim);
  }

  /** Begins to follow the queue, if it is not followed. Each call has its {@link unobserve}. */
  observe(): void {
    clearTimeout(this.linger);
    this.uses += 1;
    // A refusal is final for its view, and not for those who ask later.
    if (this.view?.error) this.closeView();
    const { client, watch } = this.ground;
    this.view ??= new QueueView(client, watch, this.kind.prefix, (keys) => this.look(keys));
  }

  unobserve(): void {
    this.uses -= 1;
    if (this.uses > 0) return;
    // Whoever comes back soon finds the watch standing, and need not wait for a new one.
    this.linger = setTimeout(() => {
      this.closeView();
      this.changed();
    }, LINGER_MS);
    this.linger.unref();
  }

  /** Ends the claims here; their keys go with the lease. */
  close(): void {
    clearTimeout(this.linger);
    for (const claim of this.claims.values()) claim.end('shutdown');
    this.closeView();
  }

  private closeView(): void {
    const { view } = this;
    this.view = null;
    view?.close();
  }

  private async enterEventually(
    claim: Claim,
    leaving: Claim | undefined,
    mayLookLater: boolean,
  ): Promise<void> {
    leaving?.end(null);
    // Whoever does not follow the queue has no reason to think that somebody stands in it.
    let mayBeFree = !leaving && !claim.shared && !this.kind.condition && !this.view;
    for (let failures = 0, refusals = 0; this.isEntering(claim);) {
      try {
        if (claim.mayStand) await this.settle(claim);
        if (claim.revision !== null) break;
        await this.establish();
        if (mayBeFree && (await this.enterFree(claim))) return;
        mayBeFree = false;
        if (claim.mayStand) continue;
        const first = !mayLookLater || !this.view?.synced;
        const answer = await this.ask(claim, () => this.requests.enter(claim, first, leaving));
        if (answer?.succeeded) {
          if (leaving) this.forget(leaving);
          leaving = undefined;
          const kvs = first ? answer.responses.at(-1)!.response_range.kvs : [];
          return this.stand(claim, answer.revision, kvs);
        }
        // Refused, for the condition, the gate, the one that leaves, or a key that is there already.
        if (answer) await this.lookAtRefusal(claim);
        // With this one standing or not, that one is left by itself.
        if (leaving) void this.cleanUp(leaving);
        leaving = undefined;
        if (++refusals > 2) await pause(retryDelay(refusals - 2, RETRY));
      } catch (error) {
        if (error instanceof LeaseNotFoundError) this.ground.session.reportGone(claim.lease);
        else if (isFinal(error)) {
          if (leaving) void this.cleanUp(leaving);
          void this.withdraw(claim);
          throw error;
        } else {
          failures += 1;
          if (failures === 3) this.warn(`cannot be asked for yet, it is tried again`, error);
          // A full database takes no new key, but lets an old one go.
          if (leaving && !claim.mayStand) {
            void this.cleanUp(leaving);
            leaving = undefined;
          }
          await pause(retryDelay(failures, RETRY));
        }
      }
    }
    if (leaving) void this.cleanUp(leaving);
  }

  /** Enters a queue in which nobody stands, with a smaller request than any other. Says whether that was so. */
  private async enterFree(claim: Claim): Promise<boolean> {
    const answer = await this.ask(claim, () => this.requests.enterIfFree(claim, false));
    if (!answer?.succeeded) return false;
    claim.stand(answer.revision);
    claim.grant();
    return true;
  }

  private async tryToEnter(claim: Claim): Promise<Found | null> {
    for (let failures = 0; this.isEntering(claim);) {
      try {
        if (claim.mayStand) await this.settle(claim);
        if (claim.revision !== null) break;
        await this.establish();
        const answer = await this.ask(claim, () => this.requests.enterIfFree(claim, true));
        if (answer?.succeeded) {
          claim.stand(answer.revision);
          claim.grant();
          return null;
        }
        const [found] = answer?.responses[0]?.response_range.kvs ?? [];
        if (found) {
          void this.withdraw(claim);
          // What is nobody's holds nothing: who waits does not wait for it.
          if (!readQueueKey(this.kind.prefix, found)) return { holder: null, mayYield: true };
          const { id, keep } = decodeLockRecord(found.value);
          return { holder: id === '' ? null : id, mayYield: keep };
        }
        this.established = false;
        if (answer) await this.lookAtRefusal(claim);
      } catch (error) {
        if (error instanceof LeaseNotFoundError) this.ground.session.reportGone(claim.lease);
        else if (isFinal(error) || ++failures === ATTEMPTS_IF_FREE) {
          void this.withdraw(claim);
          throw error;
        } else await pause(retryDelay(failures, RETRY));
      }
    }
    return null;
  }

  /** Takes away what somebody has put under a key of this process, and finds the gate as it stands. */
  private async lookAtRefusal(claim: Claim): Promise<void> {
    this.established = false;
    const own = await this.requests.lookAtRefusal(claim);
    if (!own) return;
    this.logger.warn(`The key ${claim.key} of this process was put by somebody else; deleting it.`);
    await deleteUnchanged(this.ground.client, own);
  }

  /** Sees that the condition is met, until an entry was refused: it may be for that. */
  private async establish(): Promise<void> {
    if (!this.established) await this.kind.condition?.establish();
    this.established = true;
  }

  /** Sends a request to enter, once. Null if its answer was lost. */
  private async ask<T>(claim: Claim, send: () => Promise<T>): Promise<T | null> {
    claim.mayStand = true;
    try {
      const answer = await send();
      claim.mayStand = false;
      return answer;
    } catch (error) {
      if (error instanceof WriteOutcomeUnknownError) return null;
      claim.mayStand = false;
      throw error;
    }
  }

  /** Finds out what came of all that was sent for this claim; nothing of it can come to stand afterwards. */
  private async settle(claim: Claim): Promise<void> {
    const { own, kvs } = await this.requests.settle(claim);
    if (own) this.stand(claim, own.create_revision, kvs);
    else claim.mayStand = false;
  }

  /** The key stands, beside these others. */
  private stand(claim: Claim, revision: string, kvs: readonly IKeyValue[]): void {
    claim.stand(revision);
    // Over meanwhile: whoever ended it deletes the key.
    if (claim.state !== 'entering') return;
    claim.state = 'waiting';
    const { entries, held } = readQueue(this.kind.prefix, kvs);
    const granted = countGranted(entries, held, this.kind.rule);
    if (entries.slice(0, granted).some(({ key }) => key === claim.key)) claim.grant();
    else if (entries[0]) claim.behind = decodeLockRecord(entries[0].kv.value);
    this.look(new Set([claim.key]));
  }

  /** Looks at what has changed: whose key is gone, whose turn has come. */
  private look(keys: ReadonlySet<string> | null): void {
    const { view } = this;
    if (!view) return;
    if (view.error) {
      for (const claim of this.claims.values()) if (claim.revision !== null) claim.end('refused');
      return;
    }
    if (!view.synced) return;
    for (const key of keys ?? [...this.claims.keys()]) {
      const claim = this.claims.get(key);
      if (claim && this.isGone(claim, view)) claim.end('key-deleted');
    }
    const entries = this.present(view.entries);
    const granted = countGranted(entries, view.isHeld, this.kind.rule);
    for (let i = 0; i < granted; i++) {
      const { key, kv } = entries[i]!;
      const claim = this.claims.get(key);
      // A view that lags may show what stood under the key before.
      const isIts = kv.create_revision === claim?.revision?.toString();
      if (isIts && claim.state === 'waiting') claim.grant();
    }
    if (this.claims.size > 0) this.orphans.look(entries, this.kind.rule(entries));
    this.changed();
  }

  /** Those who have not given back what they had: of others, the view tells that. */
  private present(entries: readonly QueueEntry[]): readonly QueueEntry[] {
    if (this.departing.size === 0) return entries;
    return entries.filter(({ key, kv }) => {
      const claim = this.claims.get(key);
      const isIts = claim?.revision?.toString() === kv.create_revision;
      return !(isIts && this.departing.has(claim));
    });
  }

  private isGone(claim: Claim, view: QueueView): boolean {
    const { revision } = claim;
    if (revision === null || claim.state === 'over') return false;
    claim.era ??= view.era;
    if (view.standing(claim.key)?.create_revision === revision.toString()) return false;
    // The view may not have come to it yet.
    return claim.era !== view.era || view.revision >= revision;
  }

  /** Deletes the key of a claim that is over, however often it takes. It goes with its lease at the latest. */
  private async cleanUp(claim: Claim): Promise<boolean> {
    await claim.entering;
    let stood = false;
    for (let failures = 0; claim.lease.isValid();) {
      try {
        if (claim.mayStand) await this.settle(claim);
        if (claim.revision !== null) {
          // Deleted by a request whose answer was lost, it is not found by the next one.
          stood = (await this.requests.leave(claim)) || failures > 0;
        }
        break;
      } catch (error) {
        failures += 1;
        if (isFinal(error) || error instanceof LeaseNotFoundError) {
          if (error instanceof LeaseNotFoundError) break;
          if (!this.ground.client.isClosed) {
            this.warn(`keeps the key ${claim.key} until its lease ends`, error);
          }
          // Its place is not to be taken again before: who did would find it there.
          claim.lease.signal.addEventListener('abort', () => this.forget(claim), { once: true });
          return false;
        }
        if (failures === 2)
          this.warn(`has a key that cannot be deleted yet, it is tried again`, error);
        const { signal } = claim.lease;
        await pause(retryDelay(failures, RETRY), undefined, { signal }).catch(() => undefined);
      }
    }
    this.forget(claim);
    return stood;
  }

  /** Whether it is still to enter. It ends here if its lease has: the clock knows before anybody is told. */
  private isEntering(claim: Claim): boolean {
    if (!claim.lease.isValid()) claim.end('session-lost');
    return claim.state === 'entering';
  }

  /** Nothing of the claim stands in etcd any more, or can come to. */
  private forget(claim: Claim): void {
    this.departing.delete(claim);
    if (this.slots.get(claim.slot) === claim) this.slots.delete(claim.slot);
    if (this.claims.get(claim.key) === claim) this.claims.delete(claim.key);
    this.changed();
  }

  private warn(what: string, error: unknown): void {
    this.logger.warn(`The lock "${this.kind.name}" ${what}: ${String(error)}`);
  }
}

function isFinal(error: unknown): boolean {
  return isFinalFailure(error) || error instanceof SemaphorePermitsError;
}
