import { Logger } from '@nestjs/common';
import { Bell } from '../../client/bell.js';
import { ClientClosedError, LeaseNotFoundError } from '../../client/etcd.errors.js';
import { switchVoteKey } from '../../client/keys.js';
import { retryDelay } from '../../client/retry-delay.js';
import type { SessionLease } from '../../session/session-lease.js';
import { encode, type NewFlip, type Vote } from './fleet-records.js';
import type { FlipLog } from './flip-log.js';
import type { SwitchGround } from './switch-ground.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** What is kept of an outage; older flips in it are forgotten. */
const MOST_UNRECORDED = 20;

/**
 * Keeps this instance's vote on a switch in etcd: on the session's lease, again when that is taken
 * anew, and otherwise only when it changes. Flips of this instance alone are recorded with it.
 */
export class VoteKeeper {
  private readonly logger = new Logger('Switches');
  private readonly bell: Bell;
  private readonly stopping = new AbortController();
  private readonly key: Buffer;
  private vote: Vote | null = null;
  private unrecorded: NewFlip[] = [];
  /** What etcd has been told, and on which lease. */
  private told: { readonly vote: Vote; readonly lease: SessionLease } | null = null;
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

  /** Votes no more; a vote that stands goes with the lease. Never rejects. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.told?.lease.signal.removeEventListener('abort', this.bell.ring);
    this.bell.ring();
    await this.done;
  }

  /** As {@link stop}, and takes the vote back: the switch has no rule any more. */
  async withdraw(): Promise<void> {
    await this.stop();
    if (!this.told) return;
    try {
      const success = [{ request_delete_range: { key: this.key } }];
      await this.ground.client.txn({ compare: [], success, failure: [] }, { repeatable: true });
    } catch (error) {
      if (error instanceof ClientClosedError) return;
      this.logger.warn(
        `The vote on the switch "${this.name}" was not taken back, and goes with the lease: ${String(error)}`,
      );
    }
  }

  private async keepTold(): Promise<void> {
    const { session, client } = this.ground;
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      const { vote } = this;
      if (vote === null || this.isTold(vote)) {
        await this.bell.next();
        continue;
      }
      let lease: SessionLease | undefined;
      try {
        lease = await session.ready(signal);
        await this.put(vote, lease);
        failures = 0;
      } catch (error) {
        if (signal.aborted || error instanceof ClientClosedError) return;
        if (lease && error instanceof LeaseNotFoundError) session.reportGone(lease);
        failures += 1;
        if (failures === 1) {
          this.logger.warn(
            `The vote on the switch "${this.name}" is not in etcd yet, it is tried again: ${String(error)}`,
          );
        }
        await this.bell.next(client.clock.now() + retryDelay(failures, RETRY));
      }
    }
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
    const success = [{ request_put: put }, ...flips, this.flips.count()];
    const { responses } = await client.txn(
      { compare: [], success, failure: [] },
      // Nobody else writes them, and nothing later of this process is sent before it is answered.
      { repeatable: true },
    );
    this.unrecorded = this.unrecorded.filter((flip) => !recorded.includes(flip));
    if (this.told?.lease !== lease) {
      // The next lease is to carry it too.
      lease.signal.addEventListener('abort', this.bell.ring, { once: true });
    }
    this.told = { vote, lease };
    if (recorded.length > 0) await this.flips.prune(responses.at(-1));
  }
}
