import { Logger } from '@nestjs/common';
import { instanceKey, parseRegistryRest, registryPrefix, verdictKey } from '../client/keys.js';
import { decodeInstanceRecord, type InstanceRecord } from '../registry/instance-record.js';
import {
  OWN_SOURCE,
  PROBE_SOURCE,
  worse,
  type HealthWord,
  type InstanceState,
  type ServiceInstance,
} from '../registry/service-instance.js';
import { decodeVerdictRecord } from '../registry/verdict-record.js';

/** One key's change, as the table takes it. A null value is a deletion. */
export interface TableChange {
  /** The whole key. */
  readonly key: string;
  readonly value: Buffer | null;
  readonly lease: string;
  readonly createRevision: string;
}

interface Registered {
  readonly record: InstanceRecord;
  readonly lease: string;
  readonly createRevision: bigint;
}

interface Entry {
  registered: Registered | null;
  /** What it was when its key was deleted, until it is known whether it is kept all the same. */
  lost: Registered | null;
  verdicts: Map<string, HealthWord> | null;
  /** As it is shown; null if it is not. */
  shown: ServiceInstance | null;
}

/** How one of the touched instances stood before, by its own word. */
export interface Standing {
  readonly before: InstanceState | null;
  /** That of its last record, if that is gone: what it said before it went. */
  after: InstanceState | null;
  /** Whether its key was deleted, and is not there now. */
  isGone: boolean;
}

/**
 * What is known of a service's instances, by their keys: records and what others say of them. What is
 * no record or no verdict is left out, with one warning each.
 */
export class InstanceTable {
  private readonly logger = new Logger('ServiceDiscovery');
  private readonly prefix: string;
  private readonly entries = new Map<string, Entry>();
  /** Keys that were warned of, until they are good or gone. */
  private readonly warned = new Set<string>();

  constructor(
    private readonly namespace: string,
    private readonly service: string,
  ) {
    this.prefix = registryPrefix(namespace, service);
  }

  get isEmpty(): boolean {
    return this.entries.size === 0;
  }

  /** The keys of all that is known, but of those in `listed`. */
  keysBut(listed: ReadonlySet<string>): string[] {
    const keys: string[] = [];
    for (const [id, { registered, verdicts }] of this.entries) {
      if (registered) keys.push(instanceKey(this.namespace, this.service, id));
      for (const source of verdicts?.keys() ?? []) {
        keys.push(verdictKey(this.namespace, this.service, id, source));
      }
    }
    return keys.filter((key) => !listed.has(key));
  }

  shown(id: string): ServiceInstance | null {
    return this.entries.get(id)?.shown ?? null;
  }

  /** Takes changes in their order, and notes how the instances stood that they are of. */
  take(changes: Iterable<TableChange>, standings: Map<string, Standing>): void {
    for (const change of changes) {
      const id = parseRegistryRest(change.key.slice(this.prefix.length));
      if (!id) {
        this.warnOnce(change, 'is neither an instance nor a verdict, and is left out; delete it');
        continue;
      }
      let entry = this.entries.get(id.instanceId);
      if (!entry) {
        entry = { registered: null, lost: null, verdicts: null, shown: null };
        this.entries.set(id.instanceId, entry);
      }
      let standing = standings.get(id.instanceId);
      if (!standing) {
        const before = entry.registered?.record.state ?? null;
        standing = { before, after: before, isGone: false };
        standings.set(id.instanceId, standing);
      }
      if (id.kind === 'instance') this.takeRecord(entry, change, standing);
      else this.takeVerdict(entry, id.source, change);
    }
  }

  /**
   * Works out how an instance is shown now.
   *
   * @param isKept whether it stays in the list although its key is gone
   */
  refresh(id: string, isKept: boolean): ServiceInstance | null {
    const entry = this.entries.get(id);
    if (!entry) return null;
    const from = entry.registered ?? (isKept ? entry.lost : null);
    entry.shown = from && this.build(id, from, entry.verdicts, !entry.registered);
    if (!entry.registered && !entry.lost && !entry.verdicts) this.entries.delete(id);
    return entry.shown;
  }

  /** A lost instance will not be kept any more: the next {@link refresh} shows it no longer. */
  forget(id: string): void {
    const entry = this.entries.get(id);
    if (!entry?.lost) return;
    entry.lost = null;
    if (!entry.registered) setVerdict(entry, PROBE_SOURCE, null);
  }

  private takeRecord(entry: Entry, change: TableChange, standing: Standing): void {
    const { value, lease } = change;
    const before = entry.registered;
    const record = value && decodeInstanceRecord(value);
    if (!value) this.warned.delete(change.key);
    else if (!record) this.warnOnce(change, 'is no instance, and is left out; delete it');
    else if (lease !== '0') this.warned.delete(change.key);
    else this.warnOnce(change, 'has no lease, so it will stay when its process is gone; delete it');
    if (record) {
      // A verdict that was held on to for the list is not this registration's.
      if (entry.lost) setVerdict(entry, PROBE_SOURCE, null);
      entry.lost = null;
      entry.registered = { record, lease, createRevision: BigInt(change.createRevision) };
      standing.after = record.state;
      standing.isGone = false;
      return;
    }
    entry.registered = null;
    if (value) standing.after = null;
    if (value || !before) return;
    entry.lost = before;
    standing.isGone = true;
    standing.after = before.record.state;
  }

  private takeVerdict(entry: Entry, source: string, change: TableChange): void {
    if (!change.value) {
      this.warned.delete(change.key);
      // It went with the lease: it is still the last that was known of the instance.
      if (!(source === PROBE_SOURCE && entry.lost)) setVerdict(entry, source, null);
      return;
    }
    const verdict = decodeVerdictRecord(change.value);
    if (!verdict) {
      setVerdict(entry, source, null);
      return this.warnOnce(change, 'is no verdict, and is left out; delete it');
    }
    this.warned.delete(change.key);
    const { state, by, reason } = verdict;
    setVerdict(entry, source, { state, source, by, reason });
  }

  private build(
    id: string,
    { record, lease, createRevision }: Registered,
    verdicts: ReadonlyMap<string, HealthWord> | null,
    isProtected: boolean,
  ): ServiceInstance {
    const { address, protocol, host, port, zone, weight, version, metadata, probe } = record;
    const own: HealthWord = {
      state: record.state,
      source: OWN_SOURCE,
      by: record.by,
      reason: record.reason,
    };
    const words = verdicts ? [own, ...[...verdicts.values()].sort(bySource)] : [own];
    return {
      service: this.service,
      id,
      address,
      protocol,
      host,
      port,
      zone,
      weight,
      version,
      metadata,
      probe,
      state: words.reduce<InstanceState>((worst, { state }) => worse(worst, state), own.state),
      words,
      lease,
      createRevision,
      isProtected,
    };
  }

  private warnOnce({ key, value }: TableChange, what: string): void {
    if (!value || this.warned.has(key)) return;
    this.warned.add(key);
    this.logger.warn(`The key ${JSON.stringify(key)} ${what}.`);
  }
}

function setVerdict(entry: Entry, source: string, word: HealthWord | null): void {
  if (word) (entry.verdicts ??= new Map()).set(source, word);
  else if (entry.verdicts?.delete(source) && entry.verdicts.size === 0) entry.verdicts = null;
}

function bySource(a: HealthWord, b: HealthWord): number {
  return a.source < b.source ? -1 : 1;
}
