import { Logger } from '@nestjs/common';
import { ClientClosedError } from '../../client/etcd.errors.js';
import {
  switchFleetPrefix,
  switchVotesPrefix,
  switchVoteKey,
  switchWordKey,
} from '../../client/keys.js';
import { retryDelay } from '../../client/retry-delay.js';
import { LastingView } from '../../watch/lasting-view.js';
import { PrefixView } from '../../watch/prefix-view.js';
import { decodeVote, decodeWord, encode, newFlip, type FleetWord } from './fleet-records.js';
import { FleetSize, fleetVerdict, type VoteCount } from './fleet-verdict.js';
import type { FlipLog } from './flip-log.js';
import type { SwitchGround } from './switch-ground.js';

/** For how long the votes have to be so that the fleet turns, in milliseconds. */
const SETTLE_MS = 400;
/** The oldest voter writes the word; each next one so much later, should those before it be gone or frozen. */
const RANK_STEP_MS = 200;
/** Between two attempts to write a word that etcd did not take. */
const PROPOSE_AGAIN = { initialDelayMs: 1000, maxDelayMs: 30_000 };

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
  private readonly view: LastingView<PrefixView>;
  private readonly size = new FleetSize();
  private readonly votes: string;
  private readonly own: string;
  private readonly wordKey: string;
  /** The votes as they stand in the view; null if it has changed since they were counted. */
  private counted: Poll | null = null;
  private intent: Intent | null = null;
  private proposing = false;
  /** How often in a row etcd did not take a word, and until when it is left in peace for that. */
  private failures = 0;
  private waitsUntil = -Infinity;
  private known = false;
  /** Whether anybody has been seen to vote. */
  private peopled = false;
  private last: FleetWord | null = null;

  constructor(
    private readonly ground: SwitchGround,
    private readonly name: string,
    private readonly flips: FlipLog,
    private readonly changed: () => void,
  ) {
    const { client, watch, namespace, instanceId } = ground;
    this.votes = switchVotesPrefix(namespace, name);
    this.own = switchVoteKey(namespace, name, instanceId);
    this.wordKey = switchWordKey(namespace, name);
    const open = () => new PrefixView(client, watch, switchFleetPrefix(namespace, name));
    this.view = new LastingView(
      client.clock,
      'Switches',
      `the switch "${name}" in the fleet`,
      open,
    );
    this.view.subscribe(() => this.listen());
  }

  /** Whether it is known what the fleet has come to. */
  get isKnown(): boolean {
    return this.known;
  }

  /**
   * The fleet's word; the last one known while etcd is away, or refuses to show it. One that stands
   * where nobody votes, such as of a rule that was taken away long ago, is nobody's.
   */
  get word(): FleetWord | null {
    return this.last;
  }

  /** The revision as of which this instance has no vote in etcd; null if it has one, or that is not known. */
  get lacksOwnVoteAt(): bigint | null {
    const { synced, error, entries, revision } = this.view.current;
    return synced && !error && !entries.has(this.own) ? revision : null;
  }

  /** Looks at the votes, and writes the fleet's word if it is due. */
  look(now: number, quorum: number): void {
    const { word, view } = this;
    const { synced, error, entries } = view.current;
    // Votes that nobody shows any more may have changed long since.
    if (!synced || error) {
      this.intent = null;
      return;
    }
    const poll = (this.counted ??= this.poll());
    const lately = this.size.note(now, poll.instances);
    const to = fleetVerdict(word?.state ?? 'on', { ...poll, lately }, quorum);
    if (to === null) {
      this.intent = null;
      return;
    }
    const seen = entries.get(this.wordKey)?.mod_revision ?? '0';
    if (this.intent?.to !== to || this.intent.seen !== seen) {
      this.intent = { to, seen, since: now };
    }
    const { rank } = poll;
    if (rank === null || this.proposing || now < this.waitsUntil) return;
    if (now - this.intent.since < SETTLE_MS + rank * RANK_STEP_MS) return;
    void this.propose(to, seen, shownPoll(poll));
  }

  /**
   * Writes the fleet's word over the one of that revision; `0` if there was none. Resolves once it stands,
   * or was not taken. Never rejects.
   */
  async propose(to: 'on' | 'off', seen: string, why: string): Promise<void> {
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
      this.failures = 0;
      if (succeeded) await this.flips.prune(responses.at(-1));
    } catch (error) {
      this.waitAfter(error, to);
    } finally {
      this.proposing = false;
      this.intent = null;
    }
  }

  /** Takes no part any more. */
  close(): void {
    this.view.close();
  }

  private listen(): void {
    this.counted = null;
    const { synced, entries } = this.view.current;
    // One that was just opened shows nothing yet: what was known before it stands.
    if (synced) {
      this.known = true;
      this.peopled ||= [...entries.keys()].some((key) => key.startsWith(this.votes));
      this.last = this.peopled ? decodeWord(entries.get(this.wordKey)) : null;
    }
    this.changed();
  }

  private waitAfter(error: unknown, to: 'on' | 'off'): void {
    if (error instanceof ClientClosedError) return;
    const { client, random } = this.ground;
    this.failures += 1;
    this.waitsUntil = client.clock.now() + retryDelay(this.failures, PROPOSE_AGAIN, random);
    if (this.failures > 1) return;
    this.logger.warn(
      `The fleet was not told that the switch "${this.name}" is to be ${to}, it is tried again: ${String(error)}`,
    );
  }

  private poll(): Poll {
    const { entries } = this.view.current;
    const voters = [...entries].filter(([key]) => key.startsWith(this.votes));
    const off = voters.map(([, entry]) => decodeVote(entry)).filter(({ state }) => state === 'off');
    const own = entries.get(this.own);
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
}

function shownPoll({ instances, off, why }: Poll): string {
  const count = `${off} of ${instances} instances ${off === 1 ? 'has' : 'have'} cut it`;
  return why === null ? count : `${count}; one of them because ${why}`;
}
