import { isUtf8 } from 'node:buffer';
import { Logger } from '@nestjs/common';
import type { IEvent } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import {
  ClientClosedError,
  EtcdPermissionDeniedError,
  RevisionCompactedError,
} from '../client/etcd.errors.js';
import { retryDelay } from '../client/retry-delay.js';
import { Currency } from './currency.js';
import { FanOut } from './fan-out.js';
import type { HeldKey, Keeping } from './held-key.js';
import type { KeyRange } from './key-range.js';
import { difference, type RangeChange, type RangeChanges } from './range-change.js';
import { listRange, type RangeList } from './range-list.js';
import { RevisionCheck } from './revision-check.js';
import { RevisionOfTheFutureError } from './watch.errors.js';
import type { WatchHub } from './watch-hub.js';

const RELIST = { initialDelayMs: 50, maxDelayMs: 2000 };

/** A minute, in milliseconds. */
export const DEFAULT_CHECK_INTERVAL_MS = 60_000;

export interface RangeViewOptions<K extends HeldKey = HeldKey> {
  /**
   * Milliseconds between two proofs that the view is what etcd holds, give or take a fifth;
   * 0 turns them off. Default 60,000.
   */
  readonly checkIntervalMs?: number;
  /** Tells every change from this revision on, and holds the state since then. */
  readonly from?: bigint;
  /** What another view held, which this one goes on from: it tells what has changed since. */
  readonly after?: Pick<RangeView<K>, 'entries' | 'revision' | 'era' | 'clusterId'>;
}

/**
 * What stands in a range of keys, listed once and then kept current by a watch, and every
 * change of it.
 *
 * The watch is begun before the list is read. A watch from the revision that was just
 * read would wait for etcd's loop of lagging watchers, up to 100 ms; one that already
 * stands is told at once. Events that the list already holds are dropped.
 *
 * Where events can no longer be told, because their history was compacted or the database
 * was restored, the range is listed anew, and what differs is told as changes of a resync.
 */
export class RangeView<K extends HeldKey> {
  /** By whole key. Complete as of {@link revision}; empty until {@link synced}. */
  readonly entries = new Map<string, K>();
  /** The newest revision that the entries are known to reflect. */
  revision = 0n;
  /** How often the database was seen to be another one: revisions of different eras do not compare. */
  era = 0;
  /** The cluster that the entries are of, once one has said so. */
  clusterId: string | null = null;
  /** Whether the first list is here. */
  synced = false;
  /** Why the range is not shown, and never will be: etcd refuses to, or the view was closed. */
  error: EtcdCoordinationError | null = null;
  /** How often the check found that the view was not what etcd held, and mended it. */
  repairs = 0;
  private readonly logger = new Logger('PrefixView');
  private readonly listeners: FanOut;
  private readonly followers: FanOut<RangeChanges<K>>;
  private readonly check: RevisionCheck<K>;
  /** Events that came while the list was on its way. */
  private pending: IEvent[] | null = null;
  /** Events up to this revision are in the list already; etcd may send them after it. */
  private listedAt = 0n;
  /** Whether they were told when the list was: as its difference to the state before. */
  private listedTold = true;
  private watch: { cancel(): void } | null = null;
  /** Where etcd was when the watch began to stand. */
  private since = 0n;
  /** Whether there is a state to which a list can differ. */
  private holds = false;
  /** The next list is of another database than the entries. */
  private elsewhere = false;
  private readonly currency: Currency;
  private readonly begunAt: number;
  /** Tells a list whose watch was replaced meanwhile that it is void. */
  private round = 0;
  private cancelTimer: (() => void) | undefined;
  private closed = false;
  private warnedOfKeys = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly hub: WatchHub,
    readonly range: KeyRange,
    /** The key or the prefix, for people. */
    private readonly name: string,
    private readonly keeping: Keeping<K>,
    { checkIntervalMs = DEFAULT_CHECK_INTERVAL_MS, from, after }: RangeViewOptions<K> = {},
  ) {
    this.currency = new Currency(client.clock);
    this.begunAt = client.clock.now();
    this.listeners = new FanOut(name, this.logger);
    this.followers = new FanOut(name, this.logger);
    this.check = new RevisionCheck(
      client,
      range,
      keeping,
      {
        entries: this.entries,
        revision: () => this.revision,
        clusterId: () => this.clusterId,
        heardAt: () => this.currency.moment,
        lost: (keys) => this.repair(keys),
        replaced: () => this.beginElsewhere('answers are of another database'),
      },
      checkIntervalMs,
    );
    if (after) this.goOnFrom(after);
    if (from === undefined) this.begin();
    else void this.beginAt(from, 1);
  }

  /** Calls `listener` after every change, and once the view is synced or refused. Returns what ends that. */
  subscribe(listener: () => void): () => void {
    return this.listeners.add(listener);
  }

  /** Calls `follower` with every change, before {@link subscribe}'s listeners. Returns what ends that. */
  follow(follower: (changes: RangeChanges<K>) => void): () => void {
    return this.followers.add(follower);
  }

  /**
   * Milliseconds since the view was last known to be current: by an event, a list, or word
   * of the stream's member that there is nothing new. What catches up after an interruption or a freeze
   * of the process does not count. Infinity before the first list.
   */
  ageMs(): number {
    return this.currency.ageMs();
  }

  /** Milliseconds since its watch stands again after an interruption: 0 until it does, Infinity if there was none. */
  restoredMs(): number {
    return this.currency.restoredMs;
  }

  /** Ends the view. Whoever still listens is told, once. */
  close(): void {
    if (this.closed) return;
    this.end(new ClientClosedError(this.client.options.connection));
    this.listeners.clear();
    this.followers.clear();
  }

  private goOnFrom(after: NonNullable<RangeViewOptions<K>['after']>): void {
    for (const [key, held] of after.entries) this.entries.set(key, held);
    this.revision = after.revision;
    this.era = after.era;
    this.clusterId = after.clusterId;
    this.holds = true;
  }

  /** Begins a watch; it leads to a list, which replaces what the view held. */
  private begin(): void {
    this.watch?.cancel();
    this.check.stop();
    this.cancelTimer?.();
    this.pending = [];
    this.startWatch(++this.round, null);
  }

  private beginElsewhere(why: string): void {
    this.logger.warn(`etcd was restored or replaced: ${why}; listing ${this.name} anew.`);
    this.elsewhere = true;
    this.begin();
  }

  /** Begins with the state just before `from`, and is told everything since. */
  private async beginAt(from: bigint, attempt: number): Promise<void> {
    const round = ++this.round;
    try {
      const state = await this.stateBefore(from);
      if (round !== this.round) return;
      this.take(state);
      this.startWatch(round, from);
      this.listeners.tell();
    } catch (error) {
      if (round !== this.round) return;
      // There is no watch yet that would be told of a refusal.
      if (isRefusal(error)) return this.end(error);
      this.tryAgain(error, attempt, () => void this.beginAt(from, attempt + 1));
    }
  }

  private async stateBefore(from: bigint): Promise<RangeList> {
    const { revision, clusterId } = await this.present();
    if (from > revision + 1n) throw new RevisionOfTheFutureError(this.name, from, revision);
    // Before the first revision there was nothing; 0 would ask for the present.
    if (from === 1n) return { revision: 0n, clusterId, kvs: [], unreadable: 0 };
    const keysOnly = !this.keeping.values;
    return listRange(this.client, this.range, { keysOnly, revision: from - 1n });
  }

  /** Where etcd is now, by a majority's word. */
  private async present(): Promise<{ revision: bigint; clusterId: string | null }> {
    const { key, rangeEnd } = this.range;
    const request = { key, ...(rangeEnd && { range_end: rangeEnd }), count_only: true };
    const { header } = await this.client.range(request);
    return { revision: BigInt(header.revision), clusterId: header.cluster_id ?? null };
  }

  private startWatch(round: number, from: bigint | null): void {
    this.watch = this.hub.watch(this.range, from, {
      standing: (revision, resumed, clusterId) => {
        // While a list is on its way, that one will notice.
        if (!this.pending && this.isOther(clusterId)) {
          return this.beginElsewhere(`its cluster's id is ${clusterId} now`);
        }
        this.currency.stands(revision);
        if (!resumed) {
          this.since = revision;
          if (this.pending) void this.list(round, 1);
          return;
        }
        if (this.pending) return;
        if (revision < this.revision) void this.checkForRestore(round);
        this.check.startSoon();
      },
      // What differs may have to wait for the next stream: no loss, however long that takes.
      interrupted: () => {
        this.currency.interrupted();
        this.check.stop();
      },
      events: (events) => {
        if (this.pending) for (const event of events) this.pending.push(event);
        else this.apply(events);
      },
      progress: (revision) => {
        if (!this.pending) this.currency.toldAll(revision);
      },
      behind: (upTo) => this.currency.behind(upTo),
      compacted: () => {
        this.logger.debug(`Events under ${this.name} were compacted away; listing it anew.`);
        this.begin();
      },
      refused: (error) => this.end(error),
      status: () => ({
        name: this.name,
        isListed: this.synced,
        ageMs: this.synced ? this.ageMs() : this.client.clock.now() - this.begunAt,
      }),
    });
  }

  private async list(round: number, attempt: number): Promise<void> {
    try {
      // What differs is told with its values.
      const keysOnly = !this.keeping.values && !this.holds;
      const askedAt = this.client.clock.now();
      const list = await listRange(this.client, this.range, { keysOnly });
      if (round !== this.round) return;
      // Restored from a backup between the two: the watch waits for a revision to come.
      if (list.revision < this.since) return this.beginElsewhere('its revision went back');
      this.listedTold = this.holds;
      const changes = this.take(list);
      this.currency.listed(askedAt);
      this.listedAt = list.revision;
      const pending = this.pending!;
      this.pending = null;
      if (changes.length > 0) this.followers.tell({ changes, resync: true, listed: false });
      this.update(pending);
      this.listeners.tell();
    } catch (error) {
      if (round !== this.round) return;
      this.tryAgain(error, attempt, () => void this.list(round, attempt + 1));
    }
  }

  /** Replaces what is held, and gives what differed. */
  private take(list: RangeList): RangeChange<K>[] {
    const elsewhere = this.elsewhere || this.isOther(list.clusterId);
    const wentBack = list.revision < this.revision;
    const sameHistory = !elsewhere && !wentBack;
    const own = { revision: list.revision, kvs: list.kvs.map((kv) => this.keeping.own(kv)) };
    const changes = this.holds ? difference(this.entries, own, this.keeping, sameHistory) : [];
    this.entries.clear();
    for (const kv of own.kvs) this.entries.set(kv.key.toString(), this.keeping.keep(kv));
    if (this.holds && !sameHistory) this.era += 1;
    this.elsewhere = false;
    this.revision = list.revision;
    this.clusterId = list.clusterId ?? this.clusterId;
    this.holds = this.synced = true;
    if (list.unreadable > 0) this.warnOfKeys();
    this.check.start();
    return changes;
  }

  private isOther(clusterId: string | null): boolean {
    return this.clusterId !== null && clusterId !== null && clusterId !== this.clusterId;
  }

  private tryAgain(error: unknown, attempt: number, again: () => void): void {
    if (error instanceof ClientClosedError) return this.end(error);
    if (attempt === 1) {
      this.logger.warn(`${this.name} cannot be listed yet, it is tried again: ${String(error)}`);
    }
    this.cancelTimer = this.client.clock.setTimer(again, retryDelay(attempt, RELIST));
  }

  /**
   * The member that took the watch over is behind what this view has seen: it lags, which
   * is harmless, or the database was restored from a backup, and what the view holds
   * may never have happened.
   */
  private async checkForRestore(round: number): Promise<void> {
    try {
      const before = this.revision;
      const { revision } = await this.present();
      if (round !== this.round || revision >= before) return;
      this.beginElsewhere(`it went back from revision ${before} to ${revision}`);
    } catch (error) {
      if (round !== this.round || error instanceof ClientClosedError) return;
      const again = () => void this.checkForRestore(round);
      this.cancelTimer = this.client.clock.setTimer(again, RELIST.maxDelayMs);
    }
  }

  private repair(keys: number): void {
    this.repairs += 1;
    this.logger.warn(
      `The revision check found ${keys} key(s) under ${this.name} not to be as etcd holds them: ` +
        'a watch event was lost, or the database was replaced. Listing them anew.',
    );
    this.begin();
  }

  private apply(events: readonly IEvent[]): void {
    this.update(events);
    this.listeners.tell();
  }

  private update(events: readonly IEvent[]): void {
    const [first, last] = [events[0], events.at(-1)];
    if (!first || !last) return;
    this.currency.told(BigInt(last.kv.mod_revision));
    // They come in order, and almost always none is in the list.
    if (BigInt(first.kv.mod_revision) <= this.listedAt) return this.updatePastList(events);
    const changes: RangeChange<K>[] = [];
    for (const { type, kv } of events) {
      this.revision = BigInt(kv.mod_revision);
      if (!isUtf8(kv.key)) {
        this.warnOfKeys();
        continue;
      }
      const key = kv.key.toString();
      const previous = this.entries.get(key);
      if (type === 'Delete') {
        this.entries.delete(key);
        this.check.noteDeleted(key, kv.mod_revision);
        changes.push({ type: 'delete', key, kv, previous });
      } else {
        const own = this.keeping.own(kv);
        this.entries.set(key, this.keeping.keep(own));
        changes.push({ type: 'put', key, kv: own, previous });
      }
    }
    if (changes.length > 0) this.followers.tell({ changes, resync: false, listed: false });
  }

  /**
   * Some of the events are in the list already. The state is not taken back by them; but who
   * has asked for the changes since the watch stands is told of those that nothing told yet.
   */
  private updatePastList(events: readonly IEvent[]): void {
    const fresh = events.findIndex(({ kv }) => BigInt(kv.mod_revision) > this.listedAt);
    const listed = fresh < 0 ? events : events.slice(0, fresh);
    if (!this.listedTold) {
      const changes = listed
        .filter(({ kv }) => isUtf8(kv.key))
        .map(({ type, kv }) => ({
          type: type === 'Delete' ? ('delete' as const) : ('put' as const),
          key: kv.key.toString(),
          kv,
          previous: undefined,
        }));
      if (changes.length > 0) this.followers.tell({ changes, resync: false, listed: true });
    }
    if (fresh >= 0) this.update(events.slice(fresh));
  }

  private warnOfKeys(): void {
    if (this.warnedOfKeys) return;
    this.warnedOfKeys = true;
    this.logger.warn(
      `There are keys under ${this.name} that are not UTF-8; they are left out. Delete them, or read them with the raw client.`,
    );
  }

  private end(error: EtcdCoordinationError): void {
    this.closed = true;
    this.round += 1;
    this.watch?.cancel();
    this.check.stop();
    this.cancelTimer?.();
    this.error ??= error;
    this.listeners.tell();
  }
}

/** Whether asking for a history again would be refused again. */
function isRefusal(error: unknown): error is EtcdCoordinationError {
  return [EtcdPermissionDeniedError, RevisionCompactedError, RevisionOfTheFutureError].some(
    (kind) => error instanceof kind,
  );
}
