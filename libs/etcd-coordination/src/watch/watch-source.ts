import type { IKeyValue } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { REVISIONS, VALUES, type HeldKey, type Keeping } from './held-key.js';
import { PrefixTable } from './prefix-table.js';
import type { RangeChange, RangeChanges } from './range-change.js';
import { RangeView, type RangeViewOptions } from './range-view.js';
import { WatchEvent } from './watch-event.js';
import type { WatchHub } from './watch-hub.js';
import type { WatchName } from './watch-name.js';
import { WatchedValue } from './watched-value.js';

/** What a source stands on. */
export interface WatchGround {
  readonly client: EtcdClient;
  readonly hub: WatchHub;
  readonly namespace: string;
  readonly checkIntervalMs: number | undefined;
}

/** Whom a source tells its events. No callback may throw. */
export interface WatchListener {
  readonly name: WatchName;
  readonly previous: boolean;
  next(event: WatchEvent): void;
  /** The source is refused, or over because the connection is closed. */
  ended(error: EtcdCoordinationError): void;
}

/** A listener, and the first turn of events that it was there for. */
interface Seat {
  readonly listener: WatchListener;
  readonly after: number;
}

type Seats = Seat | Set<Seat>;

/** One standing watch on a range, and all who are told of its events or of a part of them. */
export class WatchSource {
  readonly view: RangeView<HeldKey>;
  /** How many use it. */
  uses = 0;
  private readonly keys = new Map<string, Seats>();
  private prefixes = new PrefixTable<Seats>();
  /** Counts what the view tells at once. Who comes in the middle of it begins with the next. */
  private turn = 0;

  constructor(
    private readonly ground: WatchGround,
    readonly name: WatchName,
    /** Whether it holds values, or the revisions of keys alone. */
    readonly values: boolean,
    options: Omit<RangeViewOptions, 'checkIntervalMs'> = {},
  ) {
    const { client, hub, checkIntervalMs } = ground;
    const keeping: Keeping<HeldKey> = values ? VALUES : REVISIONS;
    this.view = new RangeView(client, hub, name.range, name.whole, keeping, {
      ...options,
      ...(checkIntervalMs !== undefined && { checkIntervalMs }),
    });
    this.view.follow((changes) => this.dispatch(changes));
    this.view.subscribe(() => this.endIfRefused());
  }

  /** Tells `listener` the events of its name from now on. Returns what ends that. */
  add(listener: WatchListener): () => void {
    const { kind, whole } = listener.name;
    const table = kind === 'key' ? this.keys : this.prefixes;
    const seat: Seat = { listener, after: this.turn };
    const taken = table.get(whole);
    // Most keys have one listener: a set for each would be most of what ten thousand take.
    if (taken instanceof Set) taken.add(seat);
    else table.set(whole, taken ? new Set([taken, seat]) : seat);
    return () => {
      const seats = table.get(whole);
      if (seats instanceof Set) seats.delete(seat);
      if (seats === seat || (seats instanceof Set && seats.size === 0)) table.delete(whole);
    };
  }

  private dispatch({ changes, resync }: RangeChanges): void {
    this.turn += 1;
    for (const change of changes) {
      const event = new EventOnce(this.relative(change.key), change, resync, this.values);
      const seats = this.keys.get(change.key);
      if (seats) this.tell(seats, event);
      for (const others of this.prefixes.over(change.key)) this.tell(others, event);
    }
  }

  private tell(seats: Seats, event: EventOnce): void {
    if (seats instanceof Set) for (const seat of seats) this.tellOne(seat, event);
    else this.tellOne(seats, event);
  }

  private tellOne({ listener, after }: Seat, event: EventOnce): void {
    if (after < this.turn) listener.next(event.for(listener.previous));
  }

  private endIfRefused(): void {
    const { error } = this.view;
    if (!error) return;
    const all = [...this.keys.values(), ...this.prefixes.values()];
    const seats = all.flatMap((one) => (one instanceof Set ? [...one] : [one]));
    this.keys.clear();
    this.prefixes = new PrefixTable();
    for (const { listener } of seats) listener.ended(error);
  }

  private relative(key: string): string {
    return key.slice(this.ground.namespace.length + 1);
  }
}

/** An event, made when the first listener is told and shared by all of them. */
class EventOnce {
  private plain: WatchEvent | undefined;
  private full: WatchEvent | undefined;

  constructor(
    private readonly key: string,
    private readonly change: RangeChange,
    private readonly resync: boolean,
    private readonly values: boolean,
  ) {}

  for(previous: boolean): WatchEvent {
    if (!previous || !this.values || !this.change.previous) return (this.plain ??= this.make());
    const before = this.change.previous as IKeyValue;
    return (this.full ??= this.make(WatchedValue.of(this.key, before)));
  }

  private make(previous?: WatchedValue): WatchEvent {
    const { type, kv } = this.change;
    const revision = BigInt(kv.mod_revision);
    return Object.freeze(new WatchEvent(type, this.key, kv.value, revision, this.resync, previous));
  }
}
