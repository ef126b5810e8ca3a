import type { IEvent } from 'etcd3';
import type { EtcdCoordinationError } from '../../../libs/etcd-coordination/src/client/coordination.error.js';
import type { RangeWatchHandlers } from '../../../libs/etcd-coordination/src/watch/range-watch.js';

/** Writes down all that a watch tells. */
export class WatchLog implements RangeWatchHandlers {
  /** One entry for each time that the watch stood: the revision, and whether it was resumed. */
  readonly stood: { revision: bigint; resumed: boolean }[] = [];
  /** The events of each call. */
  readonly calls: (readonly IEvent[])[] = [];
  /** How many events came. */
  count = 0;
  readonly compactions: bigint[] = [];
  readonly refusals: EtcdCoordinationError[] = [];

  standing(revision: bigint, resumed: boolean): void {
    this.stood.push({ revision, resumed });
  }

  events(events: readonly IEvent[]): void {
    this.calls.push(events);
    this.count += events.length;
  }

  compacted(compactRevision: bigint): void {
    this.compactions.push(compactRevision);
  }

  refused(error: EtcdCoordinationError): void {
    this.refusals.push(error);
  }

  /** Every event in the order in which it came, as {@link written} writes it. */
  get all(): string[] {
    return this.calls.flat().map(({ type, kv }) => {
      return written(type === 'Delete' ? 'delete' : 'put', kv.key.toString(), kv.mod_revision);
    });
  }

  /** How many words there are of any kind: it stays as it is once the watch is over. */
  get words(): number {
    return this.stood.length + this.calls.length + this.compactions.length + this.refusals.length;
  }

  /** Revisions whose events came in more than one call. */
  get torn(): string[] {
    const lasts = this.calls.map((call) => call.at(-1)?.kv.mod_revision);
    return this.calls.slice(1).flatMap((call, index) => {
      const first = call[0]!.kv.mod_revision;
      return first === lasts[index] ? [first] : [];
    });
  }
}

/** An event in one line. */
export function written(type: 'put' | 'delete', key: string, revision: string | bigint): string {
  return `${revision} ${type} ${key}`;
}
