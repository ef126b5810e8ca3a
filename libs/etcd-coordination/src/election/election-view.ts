import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { electionPrefix, parseCandidateId, type CandidateId } from '../client/keys.js';
import { prefixRange } from '../watch/key-range.js';
import { PrefixView } from '../watch/prefix-view.js';
import type { WatchHub } from '../watch/watch-hub.js';
import { decodeRecord } from './candidate-record.js';
import type { Candidate, Leadership } from './leadership.js';

/**
 * How a candidate's key stands in an election.
 *
 * - `unknown`: the view has not come to the key's revision yet
 * - `gone`: it was deleted, its lease ended, or somebody put it anew without the lease
 * - `waiting`: another one came earlier
 * - `first`: it leads
 */
export type Standing = 'unknown' | 'gone' | 'waiting' | 'first';

/**
 * The candidates of one election as a standing watch tells them: first come, first to
 * lead. It is all that a candidate needs to know that its predecessor is gone and that
 * its own key is alive, so nobody makes a call at a hand-over.
 */
export class ElectionView {
  readonly prefix: string;
  private readonly view: PrefixView;
  private readonly logger = new Logger(ElectionView.name);
  private readonly strangers = new Set<string>();
  private sorted: IKeyValue[] | null = null;

  constructor(
    client: EtcdClient,
    hub: WatchHub,
    namespace: string,
    readonly election: string,
  ) {
    this.prefix = electionPrefix(namespace, election);
    this.view = new PrefixView(client, hub, this.prefix);
    this.view.subscribe(() => {
      this.sorted = null;
      this.warnOfStrangers();
    });
  }

  get synced(): boolean {
    return this.view.synced;
  }

  /** Why etcd refuses to show the candidates, if it does. Final: ask with a new view. */
  get error(): EtcdCoordinationError | null {
    return this.view.error;
  }

  /** Calls `listener` after each change. Returns what ends that. */
  subscribe(listener: () => void): () => void {
    return this.view.subscribe(listener);
  }

  /**
   * Resolves once the candidates are known.
   *
   * @throws what etcd refuses the watch with, or the signal's reason
   */
  ready(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (how: () => void) => {
        unsubscribe();
        signal?.removeEventListener('abort', check);
        how();
      };
      const check = () => {
        if (signal?.aborted) settle(() => reject(signal.reason as Error));
        else if (this.view.error) settle(() => reject(this.view.error!));
        else if (this.view.synced) settle(resolve);
      };
      const unsubscribe = this.view.subscribe(check);
      signal?.addEventListener('abort', check);
      check();
    });
  }

  /** Changes when etcd's database is restored from a backup: revisions begin anew then. */
  get era(): number {
    return this.view.era;
  }

  /** How the key stands that was created at a revision of that era. */
  standing(key: string, createRevision: bigint, era: number): Standing {
    const { synced, revision, entries } = this.view;
    const own = entries.get(key);
    if (own?.create_revision === createRevision.toString()) {
      if (isOrphan(this.prefix, own)) return 'gone';
      return this.candidateKeys()[0] === own ? 'first' : 'waiting';
    }
    const mayCome = !synced || (era === this.era && revision < createRevision);
    return mayCome ? 'unknown' : 'gone';
  }

  /** Who leads, or null if nobody does or it is not known yet. */
  leader(): Leadership | null {
    const first = this.candidateKeys()[0];
    if (!first || isOrphan(this.prefix, first)) return null;
    const { id, value } = decodeRecord(first.value);
    return {
      election: this.election,
      leaderId: id,
      value,
      epoch: BigInt(first.create_revision),
    };
  }

  /** All candidates in the order in which they lead; none while they are not known yet. */
  candidates(): Candidate[] {
    return toCandidates(this.prefix, this.candidateKeys());
  }

  /** The first key, if it is an orphan and the given one is the first behind orphans: that one is to delete it. */
  orphanAhead(key: string): IKeyValue | null {
    const keys = this.candidateKeys();
    const standing = keys.find((kv) => !isOrphan(this.prefix, kv));
    return standing?.key.toString() === key && keys[0] !== standing ? keys[0]! : null;
  }

  close(): void {
    this.view.close();
  }

  private candidateKeys(): readonly IKeyValue[] {
    return (this.sorted ??= candidatesAmong(this.prefix, this.view.entries.values()));
  }

  /** A key that is no candidate's was put by hand, and somebody may take it for one. */
  private warnOfStrangers(): void {
    for (const kv of this.view.entries.values()) {
      const key = kv.key.toString();
      if (nameOf(this.prefix, kv) || this.strangers.has(key)) continue;
      this.strangers.add(key);
      this.logger.warn(
        `The key ${key} is not a candidate's; it takes no part in the election and can be deleted.`,
      );
    }
  }
}

/** The keys named for candidates, in the order in which they lead. */
function candidatesAmong(prefix: string, kvs: Iterable<IKeyValue>): IKeyValue[] {
  return [...kvs].filter((kv) => nameOf(prefix, kv) !== null).sort(byCreateRevision);
}

function nameOf(prefix: string, { key }: IKeyValue): CandidateId | null {
  return parseCandidateId(key.toString().slice(prefix.length));
}

/**
 * Whether a candidate's key is no longer on the lease that it is named for, because
 * somebody put something over it. It would outlive its process. Nobody may lead while it
 * stands all the same: its create revision is as it was, and guards writes.
 */
function isOrphan(prefix: string, kv: IKeyValue): boolean {
  return nameOf(prefix, kv)?.leaseId !== BigInt(kv.lease);
}

/** The candidates of an election in the order in which they lead, asked of etcd. */
export async function readCandidates(
  client: EtcdClient,
  namespace: string,
  election: string,
): Promise<Candidate[]> {
  const prefix = electionPrefix(namespace, election);
  const { key, rangeEnd } = prefixRange(prefix);
  const { kvs } = await client.range({ key, range_end: rangeEnd! });
  return toCandidates(prefix, candidatesAmong(prefix, kvs));
}

function toCandidates(prefix: string, kvs: readonly IKeyValue[]): Candidate[] {
  const standing = kvs.filter((kv) => !isOrphan(prefix, kv));
  return standing.map(({ value: record, create_revision }) => {
    const { id, value } = decodeRecord(record);
    return { candidateId: id, value, since: BigInt(create_revision) };
  });
}

/**
 * Decimals without leading zeros: the longer one is larger. One transaction can create two
 * keys at one revision; all processes must see the same one of them first.
 */
function byCreateRevision(a: IKeyValue, b: IKeyValue): number {
  const [x, y] = [a.create_revision, b.create_revision];
  return x.length - y.length || (x < y ? -1 : x > y ? 1 : a.key.compare(b.key));
}
