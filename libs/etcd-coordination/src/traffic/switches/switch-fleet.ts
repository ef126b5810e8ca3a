import { Logger } from '@nestjs/common';
import { ClientClosedError } from '../../client/etcd.errors.js';
import {
  switchFleetPrefix,
  switchVotesPrefix,
  switchVoteKey,
  switchWordKey,
} from '../../client/keys.js';
import { PrefixView } from '../../watch/prefix-view.js';
import {
  decodeVote,
  decodeWord,
  encode,
  newFlip,
  type FleetWord,
  type NewFlip,
  type Vote,
} from './fleet-records.js';
import { FleetSize, fleetVerdict, type VoteCount } from './fleet-verdict.js';
import type { FlipLog } from './flip-log.js';
import type { SwitchGround } from './switch-ground.js';
import { VoteKeeper } from './vote-keeper.js';

/** For how long the votes have to be so that the fleet turns, in milliseconds. */
const SETTLE_MS = 400;
/** The oldest voter writes the word; each next one so much later, should those before it be gone or frozen. */
const RANK_STEP_MS = 200;

/** The votes as an instance sees them. */
interface Poll extends Omit<VoteCount, 'lately'> {
  /** How many voters are older than this instance; null if it has no vote yet. */
  readonly rank: number | null;
  /** Why those voted that are not well, one for all. */
  readonly why: string | null;
}

/** What is to be written of a switch, and since when. */
interface Intent {
  readonly to: 'on' | 'off';
  /** The revision of the word that it takes the place of. */
  readonly seen: string;
  readonly since: number;
}

/**
 * One switch in the fleet: every instance has a vote in etcd and watches all of them, and when there
 * are enough, one of them writes the fleet's word.
 *
 * The word is written by compare-and-set against the one that was seen, with its record in the same
 * transaction: so there is one flip, however many see the same.
 */
export class SwitchFleet {
  private readonly logger = new Logger('Switches');
  private readonly view: PrefixView;
  private readonly keeper: VoteKeeper;
  private readonly size = new FleetSize();
  private readonly votes: string;
  private readonly own: string;
  private readonly wordKey: string;
  /** The votes as they stand in the view; null if it has changed since they were counted. */
  private counted: Poll | null = null;
  private intent: Intent | null = null;
  private proposing = false;

  constructor(
    private readonly ground: SwitchGround,
    private readonly name: string,
    private readonly flips: FlipLog,
    changed: () => void,
  ) {
    const { client, watch, namespace, instanceId } = ground;
    this.votes = switchVotesPrefix(namespace, name);
    this.own = switchVoteKey(namespace, name, instanceId);
    this.wordKey = switchWordKey(namespace, name);
    this.keeper = new VoteKeeper(ground, name, flips);
    this.view = new PrefixView(client, watch, switchFleetPrefix(namespace, name));
    this.view.subscribe(() => {
      this.counted = null;
      if (this.view.error && !(this.view.error instanceof ClientClosedError)) this.warnOfRefusal();
      changed();
    });
  }

  /** Whether it is known what the fleet has come to. */
  get isKnown(): boolean {
    return this.view.synced;
  }

  /** The fleet's word; the last one known while etcd is away. */
  get word(): FleetWord | null {
    return decodeWord(this.view.entries.get(this.wordKey));
  }

  /** Says what this instance thinks, and what has flipped here alone, if anything has. */
  say(vote: Vote, flip: NewFlip | null): void {
    this.keeper.say(vote, flip);
  }

  /** Looks at the votes, and writes the fleet's word if it is due. */
  look(now: number, quorum: number): void {
    if (!this.isKnown) return;
    const { word } = this;
    const poll = (this.counted ??= this.poll());
    const lately = this.size.note(now, poll.instances);
    const to = fleetVerdict(word?.state ?? 'on', { ...poll, lately }, quorum);
    if (to === null) {
      this.intent = null;
      return;
    }
    const seen = this.view.entries.get(this.wordKey)?.mod_revision ?? '0';
    if (this.intent?.to !== to || this.intent.seen !== seen) {
      this.intent = { to, seen, since: now };
    }
    const { rank } = poll;
    if (rank === null || this.proposing) return;
    if (now - this.intent.since < SETTLE_MS + rank * RANK_STEP_MS) return;
    void this.propose(to, seen, shownPoll(poll));
  }

  /**
   * Writes the fleet's word over the one of that revision; `0` if there was none. Resolves with whether
   * it was this instance that did. Never rejects.
   */
  async propose(to: 'on' | 'off', seen: string, why: string): Promise<boolean> {
    const { client, instanceId, now = () => new Date() } = this.ground;
    const flip = newFlip({ state: to, scope: 'fleet', by: instanceId, why }, now());
    const key = Buffer.from(this.wordKey);
    this.proposing = true;
    try {
      const { succeeded, responses } = await client.txn(
        {
          compare: [{ result: 'Equal', target: 'Mod', key, mod_revision: seen }],
          success: [
            { request_put: { key, value: encode(flip) } },
            this.flips.record(flip),
            this.flips.count(),
          ],
          failure: [],
        },
        // Once it was applied, the comparison does not hold.
        { repeatable: true },
      );
      if (succeeded) await this.flips.prune(responses.at(-1));
      return succeeded;
    } catch (error) {
      if (!(error instanceof ClientClosedError)) {
        this.logger.warn(
          `The fleet was not told that the switch "${this.name}" is to be ${to}, it is tried again: ${String(error)}`,
        );
      }
      return false;
    } finally {
      this.proposing = false;
      this.intent = null;
    }
  }

  /** Takes no part any more. What this instance voted goes with its lease. Never rejects. */
  async close(): Promise<void> {
    this.view.close();
    await this.keeper.stop();
  }

  /** As {@link close}, and takes the vote back. */
  async withdraw(): Promise<void> {
    this.view.close();
    await this.keeper.withdraw();
  }

  private poll(): Poll {
    const voters = [...this.view.entries].filter(([key]) => key.startsWith(this.votes));
    const off = voters.map(([, entry]) => decodeVote(entry)).filter(({ state }) => state === 'off');
    const own = this.view.entries.get(this.own);
    const isOlder = (revision: string) => own && BigInt(revision) < BigInt(own.create_revision);
    return {
      instances: voters.length,
      off: off.length,
      rank: own
        ? voters.filter(([, { create_revision }]) => isOlder(create_revision)).length
        : null,
      why: off.find(({ why }) => why !== null)?.why ?? null,
    };
  }

  private warnOfRefusal(): void {
    this.logger.warn(
      `The switch "${this.name}" goes by what this process measures alone, as etcd does not show what the fleet has come to: ${String(this.view.error)}`,
    );
  }
}

function shownPoll({ instances, off, why }: Poll): string {
  const count = `${off} of ${instances} instances ${off === 1 ? 'has' : 'have'} cut it`;
  return why === null ? count : `${count}; one of them because ${why}`;
}
