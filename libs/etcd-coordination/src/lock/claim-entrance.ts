import type { IKeyValue } from 'etcd3';
import { pause } from '../client/clock.js';
import {
  EtcdNoSpaceError,
  LeaseNotFoundError,
  WriteOutcomeUnknownError,
} from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { retryDelay } from '../client/retry-delay.js';
import { deleteUnchanged } from '../client/unchanged-delete.js';
import type { Claim } from './claim.js';
import type { ClaimRequests } from './claim-requests.js';
import { decodeLockRecord } from './lock-record.js';
import { SemaphorePermitsError } from './lock.errors.js';
import { readQueueKey } from './queue-entry.js';
import type { QueueGround, QueueKind } from './queue-ground.js';

/** Who was found to hold what was asked for. */
export interface Found {
  readonly holder: string | null;
  /** Whether the holder may not need it any more, and gives it up when asked. */
  readonly mayYield: boolean;
}

/** What an entrance needs of the queue behind it. */
export interface EnteredQueue {
  /** Whether a watch follows it. */
  readonly isObserved: boolean;
  /** Whether that watch has told all that stands in it. */
  readonly isSynced: boolean;
  /** The claim's key stands, beside these others. */
  stood(claim: Claim, revision: string, kvs: readonly IKeyValue[]): void;
  withdraw(claim: Claim): Promise<unknown>;
  /** Deletes the key of a claim that is over. */
  cleanUp(claim: Claim): Promise<unknown>;
  /** Nothing of the claim stands in etcd any more. */
  forget(claim: Claim): void;
  /** @param fault goes on from the name of the lock */
  warn(fault: string): void;
}

/** How often one who does not wait is tried. */
const ATTEMPTS_IF_FREE = 3;
export const CLAIM_RETRY = { initialDelayMs: 50, maxDelayMs: 1000 };

/**
 * How a claim comes to stand in its queue, through lost answers, refusals and outages: each request is
 * sent once, and what came of one without an answer is settled before the next.
 */
export class ClaimEntrance {
  private established = false;

  constructor(
    private readonly ground: QueueGround,
    private readonly kind: QueueKind,
    private readonly requests: ClaimRequests,
    private readonly queue: EnteredQueue,
  ) {}

  /**
   * Puts the claim's key, with the deletion of another's in the same transaction, as often as it takes.
   *
   * @throws what etcd refuses it with for good; the claim is over then
   */
  async enter(claim: Claim, leaving: Claim | undefined, mayLookLater: boolean): Promise<void> {
    leaving?.end(null);
    // Whoever does not follow the queue has no reason to think that somebody stands in it.
    let mayBeFree = !leaving && !claim.shared && !this.kind.condition && !this.queue.isObserved;
    for (let failures = 0, refusals = 0; this.isEntering(claim);) {
      try {
        if (claim.mayStand) await this.settle(claim);
        if (claim.revision !== null) break;
        await this.establish();
        if (mayBeFree && (await this.enterFree(claim))) return;
        mayBeFree = false;
        if (claim.mayStand || claim.revision !== null) continue;
        const first = !mayLookLater || !this.queue.isSynced;
        const answer = await this.ask(claim, () => this.requests.enter(claim, first, leaving));
        if (answer?.succeeded) {
          if (leaving) this.queue.forget(leaving);
          leaving = undefined;
          const kvs = first ? answer.responses.at(-1)!.response_range.kvs : [];
          return this.queue.stood(claim, answer.revision, kvs);
        }
        // Refused, for the condition, the gate, the one that leaves, or a key that is there already.
        if (answer) await this.lookAtRefusal(claim);
        // With this one standing or not, that one is left by itself.
        if (leaving) void this.queue.cleanUp(leaving);
        leaving = undefined;
        if (++refusals > 2) await this.pause(refusals - 2);
      } catch (error) {
        if (error instanceof LeaseNotFoundError) this.ground.session.reportGone(claim.lease);
        else if (isFinalForClaim(error)) {
          if (leaving) void this.queue.cleanUp(leaving);
          void this.queue.withdraw(claim);
          throw error;
        } else {
          failures += 1;
          claim.trouble = error;
          if (failures === 3)
            this.queue.warn(`cannot be asked for yet, it is tried again: ${String(error)}`);
          // A full database takes no new key, but lets an old one go.
          if (leaving && !claim.mayStand) {
            void this.queue.cleanUp(leaving);
            leaving = undefined;
          }
          await this.pause(failures);
        }
      }
    }
    if (leaving) void this.queue.cleanUp(leaving);
  }

  /** Enters a queue in which nobody stands, with a smaller request than any other. Says whether that was so. */
  private async enterFree(claim: Claim): Promise<boolean> {
    const answer = await this.ask(claim, () => this.requests.enterIfFree(claim, false));
    if (!answer?.succeeded) return false;
    claim.stand(answer.revision);
    claim.grant();
    return true;
  }

  /**
   * Puts the claim's key if nobody stands in the queue; otherwise tells who does.
   *
   * @throws what etcd refuses it with, or fails with more than once; the claim is over then
   */
  async enterIfFree(claim: Claim): Promise<Found | null> {
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
          void this.queue.withdraw(claim);
          // What is nobody's holds nothing: who waits does not wait for it.
          if (!readQueueKey(this.kind.prefix, found)) return { holder: null, mayYield: true };
          const { id, keep } = decodeLockRecord(found.value);
          return { holder: id === '' ? null : id, mayYield: keep };
        }
        this.established = false;
        if (answer) await this.lookAtRefusal(claim);
      } catch (error) {
        if (error instanceof LeaseNotFoundError) this.ground.session.reportGone(claim.lease);
        else if (isFinalForClaim(error) || ++failures === ATTEMPTS_IF_FREE) {
          void this.queue.withdraw(claim);
          throw error;
        } else await this.pause(failures);
      }
    }
    return null;
  }

  /** Takes away what somebody has put under a key of this process, and finds the gate as it stands. */
  private async lookAtRefusal(claim: Claim): Promise<void> {
    this.established = false;
    const own = await this.requests.lookAtRefusal(claim);
    if (!own) return;
    this.queue.warn(
      `has at ${claim.key}, a key of this process, what somebody else put there; deleting it.`,
    );
    await deleteUnchanged(this.ground.client, own);
  }

  /** Sees that the condition is met, until an entry was refused: it may be for that. */
  private async establish(): Promise<void> {
    if (!this.established) await this.kind.condition?.establish();
    this.established = true;
  }

  /** Sends a request to enter, once. Null if its answer was lost, or the claim has come to stand all the same. */
  private async ask<T>(claim: Claim, send: () => Promise<T>): Promise<T | null> {
    claim.mayStand = true;
    claim.answered = false;
    try {
      const answer = await send();
      claim.mayStand = false;
      return answer;
    } catch (error) {
      if (error instanceof WriteOutcomeUnknownError) return null;
      if (error instanceof EtcdNoSpaceError) {
        claim.answered = true;
        // It may be the last key that a full database has taken: standing unknown, it would keep everybody out.
        this.took(claim, await this.requests.look(claim));
        if (claim.revision !== null) return null;
      }
      claim.mayStand = false;
      throw error;
    }
  }

  /** Finds out what came of all that was sent for this claim; nothing of it can come to stand afterwards. */
  async settle(claim: Claim): Promise<void> {
    const { requests } = this;
    // A full database takes no gate.
    this.took(claim, await (claim.answered ? requests.look(claim) : requests.settle(claim)));
  }

  private took(claim: Claim, { own, kvs }: { own: IKeyValue | null; kvs: IKeyValue[] }): void {
    if (own) this.queue.stood(claim, own.create_revision, kvs);
    else claim.mayStand = false;
  }

  private pause(attempt: number): Promise<void> {
    return pause(this.ground.client.clock, retryDelay(attempt, CLAIM_RETRY));
  }

  /** Whether it is still to enter. It ends here if its lease has: the clock knows before anybody is told. */
  private isEntering(claim: Claim): boolean {
    if (!claim.lease.isValid()) claim.end('session-lost');
    return claim.state === 'entering';
  }
}

/** Whether trying it again would come to the same. */
export function isFinalForClaim(error: unknown): boolean {
  return isFinalFailure(error) || error instanceof SemaphorePermitsError;
}
