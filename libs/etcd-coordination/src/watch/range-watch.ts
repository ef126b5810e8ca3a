import type { IEvent, IWatchCreateRequest, IWatchResponse } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { KeyRange } from './key-range.js';
import type { WatchStatus } from './watch-status.js';

/** What a watch tells its owner. No callback may throw. */
export interface RangeWatchHandlers {
  /**
   * The watch stands: every event after `revision` will be told. Called again after each
   * interruption, with the revision of the member that took the watch over. `clusterId` is
   * the cluster of that member.
   */
  standing(revision: bigint, resumed: boolean, clusterId: string | null): void;
  /** Events in revision order; those of one revision always come in one call. Each comes once. */
  events(events: readonly IEvent[]): void;
  /**
   * The member says that up to `revision` there is nothing new. Until etcd 3.5.17 this can overtake
   * events for a moment, so it is no place to resume from.
   */
  progress?(revision: bigint): void;
  /**
   * What comes next may be old: the process stood still. It is news from `upTo` on, which the member has
   * said since; null while that is being asked for.
   */
  behind?(upTo: bigint | null): void;
  /** The stream that told the watch is gone; it stands again on the next one. */
  interrupted?(): void;
  /**
   * Events up to `compactRevision` can no longer be told. The watch is over; its owner
   * lists the keys and begins a new one.
   */
  compacted(compactRevision: bigint): void;
  /** The watch is over because etcd refuses it. */
  refused(error: EtcdCoordinationError): void;
  /** How current is what its owner shows. */
  status?(): WatchStatus;
}

/** One watched range and how far it has been told, which outlives the streams that tell it. */
export class RangeWatch {
  /** The id on the present stream, once that stream has answered. */
  id: string | null = null;
  /** How often in a row etcd refused it. */
  refusals = 0;
  cancelled = false;
  private next: bigint | null;
  private stood = false;
  /** It begins at a revision that its member has yet to reach. */
  private ahead = false;
  private again = false;
  private fragments: IEvent[] = [];

  constructor(
    readonly range: KeyRange,
    startRevision: bigint | null,
    readonly handlers: RangeWatchHandlers,
  ) {
    this.next = startRevision;
  }

  /** What asks etcd for it, from where it was interrupted. */
  createRequest(fragment: boolean): IWatchCreateRequest {
    this.id = null;
    this.ahead = this.again = false;
    // The parts that an interrupted stream had told of a revision come again, all of them.
    this.fragments = [];
    return {
      key: this.range.key,
      ...(this.range.rangeEnd && { range_end: this.range.rangeEnd }),
      ...(this.next !== null && { start_revision: this.next.toString() }),
      fragment,
    };
  }

  /** Whether it was asked for once more on the stream on which it stands, which has yet to answer. */
  get beginsAgain(): boolean {
    return this.again;
  }

  /**
   * As {@link createRequest}, from one revision earlier, which is told again and passed over. Null if the
   * watch keeps its stream from nothing: etcd answers no request for progress on a stream that has a
   * watch from a revision to come, for as long as nothing is written at all (etcd-io/etcd#20229).
   */
  createAgainRequest(fragment: boolean): IWatchCreateRequest | null {
    if (!this.ahead || this.next === null || this.fragments.length > 0) return null;
    const request = this.createRequest(fragment);
    this.again = true;
    return { ...request, start_revision: (this.next - 1n).toString() };
  }

  created({ watch_id, header }: IWatchResponse): void {
    this.id = watch_id;
    this.refusals = 0;
    const revision = BigInt(header.revision);
    // It stood all the while.
    const isAgain = this.again;
    this.again = false;
    this.ahead = !isAgain && this.next !== null && revision < this.next;
    if (isAgain) return;
    // Asked for "from now on", the member begins after the revision in its header. In all
    // other cases the header says nothing of what has been told.
    this.next ??= revision + 1n;
    const resumed = this.stood;
    this.stood = true;
    this.handlers.standing(revision, resumed, header.cluster_id ?? null);
  }

  /** Takes one answer of etcd; a fragmented one is told when its last part is here. */
  take({ events, fragment }: IWatchResponse): void {
    this.ahead = false;
    for (const event of events) this.fragments.push(event);
    if (fragment || this.fragments.length === 0) return;
    const from = this.next!;
    const complete = this.fragments.filter((event) => BigInt(event.kv.mod_revision) >= from);
    this.fragments = [];
    const last = complete.at(-1);
    if (!last) return;
    // Resuming is from the last event, never from a header: what a header's revision
    // covers may still be on its way.
    this.next = BigInt(last.kv.mod_revision) + 1n;
    this.handlers.events(complete);
  }
}
