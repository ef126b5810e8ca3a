import type { IKeyValue } from 'etcd3';
import type { Subscriber } from 'rxjs';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import type { RangeChange, RangeChanges } from './range-change.js';
import { SortedMapBuilder } from './sorted-map.js';
import { WatchedValue } from './watched-value.js';
import type { WatchName } from './watch-name.js';
import type { WatchSource } from './watch-source.js';
import type { WatchSources } from './watch-sources.js';

/** A prefix's state at some revision. */
export type StateMap = ReadonlyMap<string, WatchedValue>;

/** The state of one prefix as all who follow it are shown it, while there are any. */
export class RangeState {
  /** Whether the map is what etcd held at {@link revision}. */
  synced = false;
  revision = 0n;
  private readonly map = new SortedMapBuilder<WatchedValue>();
  private readonly subscribers = new Set<Subscriber<StateMap>>();
  private source: WatchSource | null = null;
  private unfollow: (() => void)[] = [];

  constructor(
    private readonly sources: WatchSources,
    private readonly name: WatchName,
    private readonly namespace: string,
    /** Nobody follows it any more, or nobody can. */
    private readonly over: () => void,
  ) {}

  /** The map of the last emission. */
  get current(): StateMap {
    return this.map.snapshot();
  }

  get repairs(): number {
    return this.source?.view.repairs ?? 0;
  }

  ageMs(): number {
    return this.synced && this.source ? this.source.view.ageMs() : Infinity;
  }

  add(subscriber: Subscriber<StateMap>): void {
    this.subscribers.add(subscriber);
    if (this.subscribers.size === 1) this.start(null);
    else if (this.synced) subscriber.next(this.current);
  }

  remove(subscriber: Subscriber<StateMap>): void {
    if (!this.subscribers.delete(subscriber) || this.subscribers.size > 0) return;
    this.stop();
    this.over();
  }

  /** Tells everybody that there will be no more. */
  complete(): void {
    this.finish((subscriber) => subscriber.complete());
  }

  private start(after: WatchSource | null): void {
    const source = this.sources.take(this.name, true, after ?? undefined);
    this.source = source;
    this.unfollow = [
      source.view.follow((changes) => this.take(changes)),
      source.view.subscribe(() => this.look()),
    ];
    this.look();
  }

  private stop(): void {
    for (const end of this.unfollow.splice(0)) end();
    if (this.source) this.sources.release(this.source);
    this.source = null;
    this.synced = false;
  }

  /** The view was listed for the first time, has moved on, or was refused. */
  private look(): void {
    const { view } = this.source!;
    if (view.error) return this.ended(view.error);
    if (!view.synced) return;
    this.revision = view.revision;
    if (this.synced) return;
    this.synced = true;
    this.map.clear();
    for (const [key, held] of view.entries) {
      if (this.name.has(key)) this.put(key, held as IKeyValue);
    }
    this.emit();
  }

  private take({ changes, resync, listed }: RangeChanges): void {
    if (!this.synced || listed) return;
    const own = changes.filter(({ key }) => this.name.has(key));
    // The revisions of a resync are no states that there ever were.
    const states = resync ? (own.length > 0 ? [own] : []) : byRevision(own);
    for (const state of states) {
      for (const { type, key, kv } of state) {
        if (type === 'delete') this.map.delete(this.relative(key));
        else this.put(key, kv);
      }
      const last = state.at(-1)!.kv.mod_revision;
      this.revision = resync ? this.source!.view.revision : BigInt(last);
      this.emit();
      // Told the map, everybody may have left.
      if (!this.source) return;
    }
  }

  private put(key: string, kv: IKeyValue): void {
    const relative = this.relative(key);
    this.map.set(relative, WatchedValue.of(relative, kv));
  }

  private relative(key: string): string {
    return key.slice(this.namespace.length + 1);
  }

  private emit(): void {
    const { current } = this;
    for (const subscriber of [...this.subscribers]) subscriber.next(current);
  }

  private ended(error: EtcdCoordinationError): void {
    const refused = this.source!;
    const isOver = error instanceof ClientClosedError;
    if (!isOver && !refused.name.isSame(this.name)) {
      // The wider range is refused; this one may be permitted.
      this.stop();
      return this.start(refused);
    }
    this.finish((subscriber) => (isOver ? subscriber.complete() : subscriber.error(error)));
  }

  private finish(tell: (subscriber: Subscriber<StateMap>) => void): void {
    const subscribers = [...this.subscribers];
    this.subscribers.clear();
    this.stop();
    this.over();
    for (const subscriber of subscribers) tell(subscriber);
  }
}

function byRevision(changes: readonly RangeChange[]): RangeChange[][] {
  const groups: RangeChange[][] = [];
  for (const change of changes) {
    const group = groups.at(-1);
    if (group?.[0]?.kv.mod_revision === change.kv.mod_revision) group.push(change);
    else groups.push([change]);
  }
  return groups;
}
