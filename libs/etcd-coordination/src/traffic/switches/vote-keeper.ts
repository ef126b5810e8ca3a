import { Logger } from '@nestjs/common';
import type { ICompare, IRequestOp } from 'etcd3';
import { Bell } from '../../client/bell.js';
import { ClientClosedError, LeaseNotFoundError } from '../../client/etcd.errors.js';
import { switchVoteKey, switchVotesPrefix, switchWordKey } from '../../client/keys.js';
import { retryDelay } from '../../client/retry-delay.js';
import type { SessionLease } from '../../session/session-lease.js';
import { prefixRange } from '../../watch/key-range.js';
import { encode, type NewFlip, type Vote } from './fleet-records.js';
import type { FlipLog } from './flip-log.js';
import type { SwitchGround } from './switch-ground.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** What is kept of an outage; older flips in it are forgotten. */
const MOST_UNRECORDED = 20;

/** A vote that was put. */
interface Told {
  readonly vote: Vote;
  readonly lease: SessionLease;
  readonly revision: bigint;
}

/**
 * Keeps this instance's vote on a switch in etcd: on the session's lease, again when that is taken
 * anew, and otherwise only when it changes. Flips of this instance alone are recorded with it.
 *
 * Who comes where nobody votes begins anew: the word of those who are gone is deleted with its first vote.
 */
export class VoteKeeper {
  private readonly logger = new Logger('Switches');
  private readonly bell: Bell;
  private readonly stopping = new AbortController();
  private readonly key: Buffer;
  /** What is to stand; null if nothing is. */
  private vote: Vote | null = null;
  /** Whether something may stand: a vote whose answer was lost may have been put. */
  private mayStand = false;
  private unrecorded: NewFlip[] = [];
  /** What etcd has been told, and on which lease. */
  private told: Told | null = null;
  private readonly done: Promise<void>;

  constructor(
    private readonly ground: SwitchGround,
    private readonly name: string,
    private readonly flips: FlipLog,
  ) {
    this.bell = new Bell(ground.client.clock);
    this.key = Buffer.from(switchVoteKey(ground.namespace, name, ground.instanceId));
    this.done = this.keepTold();
  }

  /** Votes from now on so, and records a flip if there was one. Sends it as soon as it can. */
  say(vote: Vote, flip: NewFlip | null): void {
    this.vote = vote;
    if (flip) this.unrecorded = [...this.unrecorded, flip].slice(-MOST_UNRECORDED);
    this.bell.ring();
  }

  /** Etcd has no vote of this instance, as of that revision: somebody has deleted it, if it was put before. */
  missed(revision: bigint): void {
    if (!this.told || revision < this.told.revision) return;
    this.told.lease.signal.removeEventListener('abort', this.bell.ring);
    this.told = null;
    this.bell.ring();
  }

  /** Votes no more, and takes the vote back as soon as it can: the switch has no rule any more. */
  withdraw(): void {
    this.vote = null;
    this.unrecorded = [];
    this.bell.ring();
  }

  /** Tells etcd nothing any more; a vote that stands goes with the lease. Never rejects. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.told?.lease.signal.removeEventListener('abort', this.bell.ring);
    this.bell.ring();
    await this.done;
  }

  private async keepTold(): Promise<void> {
    const { session, client } = this.ground;
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      const { vote } = this;
      if (vote === null ? !this.mayStand : this.isTold(vote)) {
        await this.bell.next();
        continue;
      }
      let lease: SessionLease | undefined;
      try {
        if (vote === null) {
          await this.delete();
        } else {
          lease = await session.ready(signal);
          await this.put(vote, lease);
        }
        failures = 0;
      } catch (error) {
        if (signal.aborted || error instanceof ClientClosedError) return;
        if (lease && error instanceof LeaseNotFoundError) session.reportGone(lease);
        failures += 1;
        if (failures === 1) this.warn(vote, error);
        await this.bell.next(client.clock.now() + retryDelay(failures, RETRY));
      }
    }
  }

  private warn(vote: Vote | null, error: unknown): void {
    const what = vote === null ? 'was not taken back' : 'is not in etcd';
    this.logger.warn(
      `The vote on the switch "${this.name}" ${what} yet, it is tried again: ${String(error)}`,
    );
  }

  private isTold(vote: Vote): boolean {
    const { told, unrecorded } = this;
    return told?.vote === vote && told.lease.isValid() && unrecorded.length === 0;
  }

  private async put(vote: Vote, lease: SessionLease): Promise<void> {
    const { client } = this.ground;
    const recorded = this.unrecorded;
    const put = { key: this.key, value: encode(vote), lease: lease.id };
    const flips = recorded.map((flip) => this.flips.record(flip));
    const voting = [{ request_put: put }, ...flips, this.flips.count()];
    const isFirst = !this.mayStand;
    this.mayStand = true;
    const { header, responses } = await client.txn(
      isFirst
        ? { compare: [this.nobodyVotes()], success: [this.noWord(), ...voting], failure: voting }
        : { compare: [], success: voting, failure: [] },
      // Nobody else writes them, and nothing later of this process is sent before it is answered.
      { repeatable: true },
    );
    this.unrecorded = this.unrecorded.filter((flip) => !recorded.includes(flip));
    if (this.told?.lease !== lease) {
      // The next lease is to carry it too.
      lease.signal.addEventListener('abort', this.bell.ring, { once: true });
    }
    this.told = { vote, lease, revision: BigInt(header.revision) };
    if (recorded.length > 0) await this.flips.prune(responses.at(-1));
  }

  /** Deletes what stands as it was seen to: a deletion that comes late finds a later vote, and spares it. */
  private async delete(): Promise<void> {
    const { client } = this.ground;
    const { key } = this;
    const [found] = (await client.range({ key })).kvs;
    if (found) {
      const { mod_revision } = found;
      const success = [{ request_delete_range: { key } }];
      const compare: ICompare[] = [{ key, result: 'Equal', target: 'Mod', mod_revision }];
      const { succeeded } = await client.txn(
        { compare, success, failure: [] },
        { repeatable: true },
      );
      // Written since, by a put whose answer was lost; or deleted, by this one whose answer was: looked at anew.
      if (!succeeded) return;
    }
    this.told?.lease.signal.removeEventListener('abort', this.bell.ring);
    this.told = null;
    this.mayStand = false;
  }

  /** Holds of an empty range: there is no key in it that was ever created. */
  private nobodyVotes(): ICompare {
    const { namespace } = this.ground;
    const { key, rangeEnd } = prefixRange(switchVotesPrefix(namespace, this.name));
    const range = { key, range_end: rangeEnd! };
    return { ...range, result: 'Equal', target: 'Create', create_revision: '0' };
  }

  private noWord(): IRequestOp {
    const key = Buffer.from(switchWordKey(this.ground.namespace, this.name));
    return { request_delete_range: { key } };
  }
}
