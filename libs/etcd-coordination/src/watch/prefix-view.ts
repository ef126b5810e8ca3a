import { Logger } from '@nestjs/common';
import type { IEvent, IKeyValue } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { retryDelay } from '../client/retry-delay.js';
import { prefixRange, type KeyRange } from './key-range.js';
import type { WatchHub } from './watch-hub.js';

const RELIST = { initialDelayMs: 50, maxDelayMs: 2000 };

/**
 * What stands under a prefix, listed once and then kept current by a watch.
 *
 * The watch is begun before the list is read. A watch from the revision that was just
 * read would wait for etcd's loop of lagging watchers, up to 100 ms; one that already
 * stands is told at once. Events that the list already holds are dropped.
 */
export class PrefixView {
  /** By whole key. Complete as of {@link revision}; empty until {@link synced}. */
  readonly entries = new Map<string, IKeyValue>();
  /** The newest revision that the entries are known to reflect. */
  revision = 0n;
  /** How often the database was seen to have gone back: revisions of different eras do not compare. */
  era = 0;
  /** Whether the first list is here. */
  synced = false;
  /** Why the prefix is not shown, and never will be: etcd refuses to, or the view was closed. */
  error: EtcdCoordinationError | null = null;
  private readonly logger = new Logger(PrefixView.name);
  private readonly range: KeyRange;
  private readonly listeners = new Set<() => void>();
  /** Events that came while the list was on its way. */
  private pending: IEvent[] | null = null;
  private watch: { cancel(): void } | null = null;
  /** Where etcd was when the watch began to stand. */
  private since = 0n;
  /** Tells a list whose watch was replaced meanwhile that it is void. */
  private round = 0;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(
    private readonly client: EtcdClient,
    private readonly hub: WatchHub,
    readonly prefix: string,
  ) {
    this.range = prefixRange(prefix);
    this.begin();
  }

  /** Calls `listener` after every change, and once the view is synced or refused. Returns what ends that. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Ends the view. Whoever still listens is told, once. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.round += 1;
    this.watch?.cancel();
    clearTimeout(this.timer);
    this.end(new ClientClosedError(this.client.options.connection));
    this.listeners.clear();
  }

  /** Begins a watch; it leads to a list, which replaces what the view held. */
  private begin(): void {
    this.watch?.cancel();
    this.pending = [];
    const round = ++this.round;
    this.watch = this.hub.watch(this.range, null, {
      standing: (revision, resumed) => {
        if (!resumed) {
          this.since = revision;
          void this.list(round, 1);
        } else if (!this.pending && revision < this.revision) {
          void this.checkForRestore(round);
        }
      },
      events: (events) => {
        if (this.pending) this.pending.push(...events);
        else this.apply(events);
      },
      compacted: () => {
        this.logger.debug(`Events under ${this.prefix} were compacted away; listing it anew.`);
        this.begin();
      },
      refused: (error) => this.end(error),
    });
  }

  private async list(round: number, attempt: number): Promise<void> {
    try {
      const { key, rangeEnd } = this.range;
      const { kvs, header } = await this.client.range({ key, range_end: rangeEnd! });
      if (round !== this.round) return;
      const revision = BigInt(header.revision);
      // Restored from a backup between the two: the watch waits for a revision to come.
      if (revision < this.since) return this.begin();
      this.entries.clear();
      for (const kv of kvs) this.entries.set(kv.key.toString(), kv);
      if (revision < this.revision) this.era += 1;
      this.revision = revision;
      this.synced = true;
      const missed = this.pending!.filter((e) => BigInt(e.kv.mod_revision) > this.revision);
      this.pending = null;
      this.update(missed);
      this.notify();
    } catch (error) {
      if (round !== this.round) return;
      if (error instanceof ClientClosedError) return this.end(error);
      if (attempt === 1) {
        this.logger.warn(
          `${this.prefix} cannot be listed yet, it is tried again: ${String(error)}`,
        );
      }
      this.timer = setTimeout(
        () => void this.list(round, attempt + 1),
        retryDelay(attempt, RELIST),
      );
    }
  }

  /**
   * The member that took the watch over is behind what this view has seen: it lags, which
   * is harmless, or the database was restored from a backup, and what the view holds
   * may never have happened.
   */
  private async checkForRestore(round: number): Promise<void> {
    try {
      const { header } = await this.client.range({ ...toRequest(this.range), count_only: true });
      if (round !== this.round || BigInt(header.revision) >= this.revision) return;
      this.logger.warn(
        `etcd went back from revision ${this.revision} to ${header.revision}, as after a restore; listing ${this.prefix} anew.`,
      );
      this.begin();
    } catch (error) {
      if (round !== this.round || error instanceof ClientClosedError) return;
      this.timer = setTimeout(() => void this.checkForRestore(round), RELIST.maxDelayMs);
    }
  }

  private apply(events: readonly IEvent[]): void {
    this.update(events);
    this.notify();
  }

  private update(events: readonly IEvent[]): void {
    for (const { type, kv } of events) {
      const key = kv.key.toString();
      if (type === 'Delete') this.entries.delete(key);
      else this.entries.set(key, kv);
      this.revision = BigInt(kv.mod_revision);
    }
  }

  private end(error: EtcdCoordinationError): void {
    this.error ??= error;
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

function toRequest({ key, rangeEnd }: KeyRange) {
  return { key, range_end: rangeEnd! };
}
