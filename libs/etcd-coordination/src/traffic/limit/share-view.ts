import { ClientClosedError } from '../../client/etcd.errors.js';
import { LastingView } from '../../watch/lasting-view.js';
import { PrefixView } from '../../watch/prefix-view.js';
import type { RateLimiterGround } from './share-ground.js';
import { decodeShareRecord, type ShareRecord } from './share-record.js';

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
  private readonly held = new Map<string, Held>();
  private readonly lasting: LastingView<PrefixView>;

  constructor(
    { client, watch }: Pick<RateLimiterGround, 'client' | 'watch'>,
    readonly prefix: string,
    private readonly changed: () => void,
    private readonly refused: (error: Error) => void,
  ) {
    this.lasting = new LastingView(
      client.clock,
      'RateLimiter',
      `the shares under ${prefix}`,
      () => new PrefixView(client, watch, prefix),
    );
    this.lasting.subscribe(() => this.look());
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
    this.lasting.close();
  }

  private get view(): PrefixView {
    return this.lasting.current;
  }

  private look(): void {
    const { error } = this.view;
    if (!error) this.changed();
    else if (!(error instanceof ClientClosedError)) this.refused(error);
  }
}
