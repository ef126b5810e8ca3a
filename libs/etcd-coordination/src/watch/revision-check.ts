import type { EtcdClient } from '../client/etcd-client.js';
import type { KeyRange } from './key-range.js';
import type { HeldKey, Keeping } from './held-key.js';
import { compareRevisions } from './range-change.js';
import { listRange, type RangeList } from './range-list.js';

/** How long what differs may be on its way, unless the view moves on meanwhile. */
const GRACE_MS = 2000;

/** Later than planned by this, a look comes from a process that stood still: what is on its way had no time to come in. */
const LATE_MS = 500;

/** An interruption is followed by a check within this time; a fleet is spread over it. */
const SOON_MS = 5000;

/** What is checked. */
export interface CheckedView<K extends HeldKey> {
  readonly entries: ReadonlyMap<string, K>;
  revision(): bigint;
  clusterId(): string | null;
  /** When its stream last said something of it, on the monotonic clock. */
  heardAt(): number;
  /** So many keys are not as etcd has them, and nothing on its way will mend that. */
  lost(keys: number): void;
  /** What etcd shows is another database than the one that the view holds. */
  replaced(): void;
}

/**
 * Proves now and then that a view is what etcd holds: a linearizable list of the keys with
 * their revisions, compared with what is held. What came in since the list was made, or is
 * on its way still, is no difference.
 */
export class RevisionCheck<K extends HeldKey> {
  private cancelTimer: (() => void) | undefined;
  /** Tells a check that was stopped meanwhile that it is void. */
  private round = 0;
  /** Keys that were deleted since the check began, and when. */
  private deleted: Map<string, string> | null = null;

  constructor(
    private readonly client: EtcdClient,
    private readonly range: KeyRange,
    private readonly keeping: Keeping<K>,
    private readonly view: CheckedView<K>,
    /** 0 turns the check off. */
    private readonly intervalMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** Checks an interval from now, give or take a fifth. */
  start(): void {
    this.schedule(this.intervalMs * (0.8 + 0.4 * this.random()));
  }

  /** Checks within moments: the stream was interrupted, or something else gave cause for doubt. */
  startSoon(): void {
    this.schedule(Math.min(this.intervalMs, SOON_MS) * this.random());
  }

  /** Ends a check that is under way, and plans no other. */
  stop(): void {
    this.round += 1;
    this.deleted = null;
    this.cancelTimer?.();
  }

  /** The view was told of a deletion. */
  noteDeleted(key: string, revision: string): void {
    this.deleted?.set(key, revision);
  }

  private schedule(delayMs: number): void {
    if (this.intervalMs === 0) return;
    this.stop();
    this.cancelTimer = this.client.clock.setTimer(() => void this.run(this.round), delayMs);
  }

  private async run(round: number): Promise<void> {
    this.deleted = new Map();
    const before = this.view.revision();
    let list: RangeList;
    try {
      list = await listRange(this.client, this.range, { keysOnly: true });
    } catch {
      // etcd is away, or refuses: the watch has its own words for that.
      if (round === this.round) this.start();
      return;
    }
    if (round !== this.round) return;
    if (list.clusterId !== this.view.clusterId() || list.revision < before) {
      return this.view.replaced();
    }
    this.judge(round, list, this.client.clock.now());
  }

  /** Looks until nothing differs, or what differs cannot be on its way any more. */
  private judge(round: number, list: RangeList, listedAt: number): void {
    const wrong = this.differing(list);
    if (wrong === 0) return this.start();
    // The events come in order: those up to the view's revision are all here.
    if (this.view.revision() >= list.revision) return this.view.lost(wrong);
    const { clock } = this.client;
    const seen = this.view.revision();
    const graceMs = Math.min(GRACE_MS, this.intervalMs);
    const due = clock.now() + graceMs;
    this.cancelTimer = clock.setTimer(() => {
      if (round !== this.round) return;
      if (clock.now() - due > LATE_MS) return this.judge(round, list, listedAt);
      // A stream that is silent may be about to be given up, and one that moves to catch up.
      const isIdle = this.view.revision() === seen && this.view.heardAt() > listedAt;
      const still = this.differing(list);
      if (isIdle && still > 0) this.view.lost(still);
      else this.judge(round, list, listedAt);
    }, graceMs);
  }

  /** How many keys the view does not hold as they were at the list's revision, or later. */
  private differing({ kvs, revision }: RangeList): number {
    const { entries } = this.view;
    const at = revision.toString();
    const isLater = (mod: string | undefined) => mod !== undefined && compareRevisions(mod, at) > 0;
    let differing = 0;
    let found = 0;
    for (const kv of kvs) {
      const key = kv.key.toString();
      const held = entries.get(key);
      if (held) {
        found += 1;
        if (!isLater(held.mod_revision) && !this.keeping.isAsListed(held, kv)) differing += 1;
      } else if (!isLater(this.deleted?.get(key))) {
        differing += 1;
      }
    }
    if (found === entries.size) return differing;
    const listed = new Set(kvs.map((kv) => kv.key.toString()));
    for (const [key, held] of entries) {
      if (!listed.has(key) && !isLater(held.mod_revision)) differing += 1;
    }
    return differing;
  }
}
