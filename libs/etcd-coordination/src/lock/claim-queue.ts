import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { pause } from '../client/clock.js';
import { LeaseNotFoundError } from '../client/etcd.errors.js';
import { lockEntrySegment } from '../client/keys.js';
import { retryDelay } from '../client/retry-delay.js';
import type { SessionLease } from '../session/session-lease.js';
import { Claim, type ClaimOwner } from './claim.js';
import {
  CLAIM_RETRY,
  ClaimEntrance,
  type EnteredQueue,
  type Found,
  isFinalForClaim,
} from './claim-entrance.js';
import { ClaimRequests } from './claim-requests.js';
import { decodeLockRecord } from './lock-record.js';
import { countGranted, readQueue, type QueueEntry } from './queue-entry.js';
import { OrphanRemoval } from './orphan-removal.js';
import type { QueueGround, QueueKind } from './queue-ground.js';
import { QueueView } from './queue-view.js';

const NO_KEYS: ReadonlySet<string> = new Set();
/** How long the watch of a queue stays after its last use, in milliseconds. */
const LINGER_MS = 10_000;

/**
 * The queue of one lock or semaphore, and this process's keys in it: first come, first served by
 * create revision, which is also what a grant is fenced by. The algorithm is that of etcd's own
 * `concurrency.Mutex`, with one transaction to enter and one to leave, on a standing watch where
 * there is something to wait for.
 */
export class ClaimQueue implements EnteredQueue {
  private readonly logger = new Logger('LockService');
  private readonly requests: ClaimRequests;
  private readonly entrance: ClaimEntrance;
  private readonly claims = new Map<string, Claim>();
  /** By its slot, every claim of which something may stand in etcd. */
  private readonly slots = new Map<number, Claim>();
  private view: QueueView | null = null;
  private uses = 0;
  private cancelLinger: (() => void) | undefined;
  /** Given back, with the deletion under way: what stands behind them is next, whoever tells so. */
  private readonly departing = new Set<Claim>();
  private readonly orphans: OrphanRemoval;

  constructor(
    private readonly ground: QueueGround,
    readonly kind: QueueKind,
    /** Called after each change that the view tells, and when the view is closed. */
    private readonly changed: () => void = () => undefined,
  ) {
    this.requests = new ClaimRequests(ground, kind);
    this.entrance = new ClaimEntrance(ground, kind, this.requests, this);
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

  get isObserved(): boolean {
    return this.view !== null;
  }

  get isSynced(): boolean {
    return this.view?.synced === true;
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
    return this.isSynced && this.mayOthersWait(own);
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
    const entering = this.entrance.enter(claim, leaving, mayLookLater);
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
    const entering = this.entrance.enterIfFree(claim);
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
    this.cancelLinger?.();
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
    this.cancelLinger = this.ground.client.clock.setTimer(
      () => {
        this.closeView();
        this.changed();
      },
      LINGER_MS,
      { unref: true },
    );
  }

  /** Ends the claims here; their keys go with the lease. */
  close(): void {
    this.cancelLinger?.();
    for (const claim of this.claims.values()) claim.end('shutdown');
    this.closeView();
  }

  private closeView(): void {
    const { view } = this;
    this.view = null;
    view?.close();
  }

  /** The key stands, beside these others. */
  stood(claim: Claim, revision: string, kvs: readonly IKeyValue[]): void {
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
  async cleanUp(claim: Claim): Promise<boolean> {
    await claim.entering;
    let stood = false;
    for (let failures = 0; claim.lease.isValid();) {
      try {
        if (claim.mayStand) await this.entrance.settle(claim);
        if (claim.revision !== null) {
          // Deleted by a request whose answer was lost, it is not found by the next one.
          stood = (await this.requests.leave(claim)) || failures > 0;
        }
        break;
      } catch (error) {
        failures += 1;
        if (isFinalForClaim(error) || error instanceof LeaseNotFoundError) {
          if (error instanceof LeaseNotFoundError) break;
          if (!this.ground.client.isClosed) {
            this.warn(`keeps the key ${claim.key} until its lease ends: ${String(error)}`);
          }
          // Its place is not to be taken again before: who did would find it there.
          claim.lease.signal.addEventListener('abort', () => this.forget(claim), { once: true });
          return false;
        }
        if (failures === 2)
          this.warn(`has a key that cannot be deleted yet, it is tried again: ${String(error)}`);
        const { signal } = claim.lease;
        await pause(this.ground.client.clock, retryDelay(failures, CLAIM_RETRY), signal).catch(
          () => undefined,
        );
      }
    }
    this.forget(claim);
    return stood;
  }

  /** Nothing of the claim stands in etcd any more, or can come to. */
  forget(claim: Claim): void {
    this.departing.delete(claim);
    if (this.slots.get(claim.slot) === claim) this.slots.delete(claim.slot);
    if (this.claims.get(claim.key) === claim) this.claims.delete(claim.key);
    this.changed();
  }

  warn(fault: string): void {
    this.logger.warn(`The lock "${this.kind.name}" ${fault}`);
  }
}
