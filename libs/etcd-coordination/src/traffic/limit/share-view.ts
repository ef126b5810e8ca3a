import { Logger } from '@nestjs/common';
import { ClientClosedError } from '../../client/etcd.errors.js';
import { retryDelay } from '../../client/retry-delay.js';
import { PrefixView } from '../../watch/prefix-view.js';
import type { RateLimiterGround } from './share-ground.js';
import { decodeShareRecord, type ShareRecord } from './share-record.js';

/** Between two attempts to follow what etcd refuses to show. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };
/** So long after an interruption many a lease may have run out whose process is well. */
const AFTER_OUTAGE_MS = 30_000;

/** How etcd says that a key is on no lease. */
const NO_LEASE = '0';

interface Held {
  readonly revision: string;
  readonly record: ShareRecord;
}

/** The records of all who take part in a fleet's limit, followed by a watch, by what follows the prefix. */
export class ShareView {
  private readonly logger = new Logger('RateLimiter');
  private readonly held = new Map<string, Held>();
  private view!: PrefixView;
  private refusals = 0;
  private closed = false;
  private cancelTimer: () => void = () => undefined;

  constructor(
    private readonly ground: Pick<RateLimiterGround, 'client' | 'watch'>,
    readonly prefix: string,
    private readonly changed: () => void,
    private readonly refused: (error: Error) => void,
  ) {
    this.open();
  }

  get isSynced(): boolean {
    return this.view.synced && !this.view.error;
  }

  /** The newest revision that it reflects. */
  get revision(): bigint {
    return this.view.revision;
  }

  /** Whether nobody, as far as this process can tell, could keep a lease until shortly before. */
  get isAfterOutage(): boolean {
    return this.view.restoredMs() < AFTER_OUTAGE_MS;
  }

  /** Of those whose records stand on a lease. A record that has not changed is the same object. */
  records(): Map<string, ShareRecord> {
    const records = new Map<string, ShareRecord>();
    for (const [key, { mod_revision: revision, value, lease }] of this.view.entries) {
      // No process has put what is on none, and nothing would ever take it away.
      if (lease === NO_LEASE) continue;
      const id = key.slice(this.prefix.length);
      let known = this.held.get(id);
      if (known?.revision !== revision) {
        known = { revision, record: decodeShareRecord(value) };
        this.held.set(id, known);
      }
      records.set(id, known.record);
    }
    for (const id of this.held.keys()) if (!records.has(id)) this.held.delete(id);
    return records;
  }

  close(): void {
    this.closed = true;
    this.cancelTimer();
    this.view.close();
  }

  private open(): void {
    const { client, watch } = this.ground;
    const view = (this.view = new PrefixView(client, watch, this.prefix));
    view.subscribe(() => {
      if (this.closed) return;
      if (view.error) return this.tryAgain(view.error);
      this.refusals = 0;
      this.changed();
    });
  }

  private tryAgain(error: Error): void {
    if (error instanceof ClientClosedError) return;
    this.refused(error);
    this.refusals += 1;
    if (this.refusals === 1) {
      this.logger.warn(
        `Who shares the limit under ${this.prefix} cannot be seen, which is tried again now and then: ${String(error)}`,
      );
    }
    const delay = retryDelay(this.refusals, RETRY_SLOWLY);
    this.cancelTimer = this.ground.client.clock.setTimer(() => this.open(), delay, { unref: true });
  }
}
