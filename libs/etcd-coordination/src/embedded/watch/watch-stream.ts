import type { HeaderFactory } from '../grpc/header.js';
import type { OpenStream } from '../grpc/open-streams.js';
import {
  EventType,
  type WatchCreateRequest,
  WatchFilter,
  type WatchRequest,
  type WatchResponse,
  type WireEvent,
} from '../grpc/wire.js';
import { toWireKeyValue } from '../grpc/wire-key-value.js';
import { EtcdStatus } from '../etcd-status.js';
import { keyRange } from '../store/key-range.js';
import type { Change } from '../store/key-value.js';
import type { MvccStore } from '../store/mvcc-store.js';
import { fragmentsOf } from './fragments.js';
import type { WatchHub } from './watch-hub.js';
import { type WatchBatch, type WatchSink, Watcher } from './watcher.js';

/** Asks for an id to be chosen. */
const CHOOSE_ID = 0n;
/** Stands for no watch, or for all of a stream. */
const NO_ID = '-1';

const LOWEST_KEY = Buffer.from([0]);

/** A watch of this stream, with how the client wants to hear of it. */
interface Watch {
  readonly id: string;
  readonly watcher: Watcher;
  readonly wantsPrevious: boolean;
  readonly mayFragment: boolean;
  readonly ignored: ReadonlySet<Change['type']>;
  /** Null where no progress is asked for; false while events make it needless. */
  progressDue: boolean | null;
}

/** One client's stream: any number of watches, told apart by their ids. */
export class WatchStream implements WatchSink {
  private readonly byId = new Map<bigint, Watch>();
  private readonly byWatcher = new Map<Watcher, Watch>();
  private nextId = 0n;

  constructor(
    private readonly store: MvccStore,
    private readonly hub: WatchHub,
    private readonly header: HeaderFactory,
    private readonly stream: OpenStream<WatchResponse>,
  ) {}

  get isWritable(): boolean {
    return this.stream.isWritable;
  }

  handle(request: WatchRequest): void {
    if (request.create_request) this.create(request.create_request);
    else if (request.cancel_request) this.cancel(request.cancel_request.watch_id);
    else if (request.request_union === 'progress_request') this.progressOfAll();
  }

  changed(watcher: Watcher, { changes, revision }: WatchBatch): void {
    const watch = this.byWatcher.get(watcher)!;
    const wanted = changes.filter(({ type }) => !watch.ignored.has(type));
    if (wanted.length === 0) return;
    if (watch.progressDue) watch.progressDue = false;
    const response: WatchResponse = {
      header: this.header(revision),
      watch_id: watch.id,
      events: wanted.map((change) => this.toEvent(change, watch.wantsPrevious)),
    };
    if (!watch.mayFragment) return this.stream.send(response);
    for (const fragment of fragmentsOf(response)) this.stream.send(fragment);
  }

  compacted(watcher: Watcher, compactRevision: number): void {
    // The id stays taken until the client cancels it, and so in etcd.
    this.stream.send({
      header: this.header(0),
      watch_id: this.byWatcher.get(watcher)!.id,
      canceled: true,
      compact_revision: compactRevision,
    });
  }

  /** Tells each watch that asked for it, and heard nothing since the last time, how far it is. */
  notifyProgress(): void {
    for (const watch of this.byId.values()) {
      if (watch.progressDue === null) continue;
      if (watch.progressDue && this.isUpToDate(watch)) {
        this.stream.send({ header: this.header(this.store.revision), watch_id: watch.id });
      }
      watch.progressDue = true;
    }
  }

  get wantsProgress(): boolean {
    for (const { progressDue } of this.byId.values()) if (progressDue !== null) return true;
    return false;
  }

  close(): void {
    for (const watcher of this.byWatcher.keys()) this.hub.remove(watcher);
    this.byId.clear();
    this.byWatcher.clear();
  }

  private create(request: WatchCreateRequest): void {
    const startRevision = Number(request.start_revision);
    if (startRevision < 0) return this.refuse(EtcdStatus.compacted().details);
    const key = request.key.length > 0 ? request.key : LOWEST_KEY;
    const range = keyRange(key, request.range_end);
    if (range.to && range.from >= range.to) return this.refuse('mvcc: watcher range is empty');
    const wanted = BigInt(request.watch_id);
    if (wanted !== CHOOSE_ID && this.byId.has(wanted)) {
      return this.refuse('mvcc: duplicate watch ID provided on the WatchStream');
    }

    const id = wanted === CHOOSE_ID ? this.freeId() : wanted;
    const watch: Watch = {
      id: id.toString(),
      watcher: new Watcher(range, startRevision, this),
      wantsPrevious: request.prev_kv,
      mayFragment: request.fragment,
      ignored: new Set(
        request.filters.map((filter) => (filter === WatchFilter.NoPut ? 'put' : 'delete')),
      ),
      progressDue: request.progress_notify ? true : null,
    };
    this.byId.set(id, watch);
    this.byWatcher.set(watch.watcher, watch);
    this.stream.send({
      header: this.header(this.store.revision),
      watch_id: watch.id,
      created: true,
    });
    this.hub.add(watch.watcher);
  }

  private refuse(reason: string): void {
    this.stream.send({
      header: this.header(this.store.revision),
      watch_id: NO_ID,
      created: true,
      canceled: true,
      cancel_reason: reason,
    });
  }

  private cancel(id: string): void {
    const watch = this.byId.get(BigInt(id));
    if (!watch) return;
    this.hub.remove(watch.watcher);
    this.byId.delete(BigInt(id));
    this.byWatcher.delete(watch.watcher);
    this.stream.send({
      header: this.header(this.store.revision),
      watch_id: watch.id,
      canceled: true,
    });
  }

  /** One answer for all, or none while one of them has history to read. */
  private progressOfAll(): void {
    const watches = [...this.byId.values()];
    if (watches.length === 0 || !watches.every((watch) => this.isUpToDate(watch))) return;
    this.stream.send({ header: this.header(this.store.revision), watch_id: NO_ID });
  }

  private isUpToDate({ watcher }: Watch): boolean {
    return watcher.state === 'synced' && this.store.revision >= watcher.startRevision;
  }

  private toEvent({ type, kv }: Change, wantsPrevious: boolean): WireEvent {
    const isCreation = type === 'put' && kv.createRevision === kv.modRevision;
    const previous =
      wantsPrevious && !isCreation ? this.store.keyAt(kv.key, kv.modRevision - 1) : null;
    return {
      type: type === 'put' ? EventType.Put : EventType.Delete,
      kv: toWireKeyValue(kv),
      prev_kv: previous && toWireKeyValue(previous),
    };
  }

  private freeId(): bigint {
    while (this.byId.has(this.nextId)) this.nextId++;
    return this.nextId++;
  }
}
