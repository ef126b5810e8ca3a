import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { registryPrefix } from '../client/keys.js';
import type { InstanceState, ServiceInstance } from '../registry/service-instance.js';
import { FanOut } from '../watch/fan-out.js';
import { PrefixView } from '../watch/prefix-view.js';
import type { RangeChange } from '../watch/range-change.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { ProtectionOptions } from './discovery-options.js';
import type { SavedList } from './discovery-snapshot.js';
import { InstanceTable, type Standing, type TableChange } from './instance-table.js';
import { MassExpiry, type Judgement, type Moves } from './mass-expiry.js';
import type { ListSource } from './service-status.js';
import { CUT_OFF_AFTER_MS } from './service-pool.js';
import { SortedById } from './sorted-by-id.js';

/** Between two attempts to follow what etcd refuses to show, in milliseconds. */
const REFUSED_RETRY_MS = 10_000;

/** Longer lists are handed out as they are: with 10,000 instances, freezing costs more than all else of a change. */
const MOST_FROZEN = 1000;

/**
 * So long after an interruption losses may be of leases that ran out because etcd was away: a database that is
 * back gives each its time anew, and sessions need some to find it.
 */
const AFTER_OUTAGE_MS = 30_000;

/** One instance's change. */
export interface InstanceChange {
  readonly id: string;
  /** Null if it is new in the list. */
  readonly before: ServiceInstance | null;
  /** Null if it is gone from the list. */
  readonly after: ServiceInstance | null;
}

/** Changes of the list that came together. */
export interface InstanceChanges {
  readonly changes: readonly InstanceChange[];
  /** Whether they are the list itself, be it of etcd or of a snapshot: nothing of it is new in the world. */
  readonly isList: boolean;
}

/** What a view of a service stands on. */
export interface ViewGround {
  readonly client: EtcdClient;
  readonly watch: WatchHub;
  readonly namespace: string;
}

/**
 * The instances of one service, listed once and then kept current by a watch of the service's
 * prefix. An outage of etcd empties nothing, and neither does a mass expiry.
 */
export class ServiceView {
  private readonly logger = new Logger('ServiceDiscovery');
  private readonly table: InstanceTable;
  private readonly guard: MassExpiry;
  private readonly sorted = new SortedById<ServiceInstance>();
  private readonly listeners: FanOut<InstanceChanges>;
  /** The array that was handed out last. */
  private given: readonly ServiceInstance[] | null = null;
  private view!: PrefixView;
  private unfollow: (() => void)[] = [];
  /** Where the list is from. */
  private source: ListSource = 'none';
  /** Why etcd does not show the list now. */
  private refusal: EtcdCoordinationError | null = null;
  private cancelRetry: (() => void) | undefined;
  private cancelRelease: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly ground: ViewGround,
    readonly service: string,
    private readonly protection: Required<ProtectionOptions> | false,
  ) {
    this.table = new InstanceTable(ground.namespace, service);
    this.guard = new MassExpiry(protection);
    this.listeners = new FanOut(`the service "${service}"`, this.logger);
    this.open();
  }

  /** Whether there is a list, be it of a snapshot. */
  get isReady(): boolean {
    return this.source !== 'none';
  }

  /** Where the list is from. */
  get origin(): ListSource {
    return this.source;
  }

  /** Why etcd does not show the list, until it does; it is asked again. */
  get error(): EtcdCoordinationError | null {
    return this.refusal;
  }

  /** All instances, in the order of their ids; the same array until something changes. */
  get instances(): readonly ServiceInstance[] {
    const { items } = this.sorted;
    if (items !== this.given) {
      this.given = items;
      if (items.length <= MOST_FROZEN) Object.freeze(items);
    }
    return items;
  }

  /** How many are kept in the list although they are gone from etcd. */
  get protectedCount(): number {
    return this.guard.size;
  }

  /** Milliseconds since the list was last known to be what etcd has; Infinity before. */
  ageMs(): number {
    return this.source === 'etcd' ? this.view.ageMs() : Infinity;
  }

  /** Calls `listener` after every change, and when there is a list or a refusal. Returns what ends that. */
  subscribe(listener: (changes: InstanceChanges) => void): () => void {
    return this.listeners.add(listener);
  }

  /**
   * What etcd has of the service, to be kept for a start without etcd; null if it is not known, or is not
   * to be believed for now.
   */
  saved(): SavedList | null {
    if (this.source !== 'etcd' || !this.view.synced || this.guard.size > 0) return null;
    return {
      entries: [...this.view.entries.values()].map(({ key, value, lease, create_revision }) => ({
        key: key.toString(),
        value: value.toString(),
        lease,
        createRevision: create_revision,
      })),
    };
  }

  /** Has a saved list stand in until etcd's own is here. */
  standIn({ entries }: SavedList): void {
    if (this.isReady || this.closed) return;
    this.source = 'snapshot';
    this.replace(entries.map((entry) => ({ ...entry, value: Buffer.from(entry.value) })));
  }

  /** Follows nothing any more. What is known stays. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelRetry?.();
    this.cancelRelease?.();
    this.closeView();
    this.listeners.clear();
  }

  private open(): void {
    const { client, watch, namespace } = this.ground;
    const view = new PrefixView(client, watch, registryPrefix(namespace, this.service));
    this.view = view;
    let isListed = false;
    const look = () => {
      if (view.error) return this.refused(view.error);
      if (isListed || !view.synced) return;
      isListed = true;
      this.listed();
    };
    this.unfollow = [
      view.follow(({ changes, listed }) => {
        // The list that is here already holds them.
        if (listed) return;
        if (isListed) this.changed(changes.map(asTableChange));
        else look();
      }),
      view.subscribe(look),
    ];
    look();
  }

  private closeView(): void {
    for (const end of this.unfollow.splice(0)) end();
    this.view.close();
  }

  private refused(error: EtcdCoordinationError): void {
    if (this.closed || error instanceof ClientClosedError) return;
    this.closeView();
    if (!this.refusal) {
      this.logger.error(
        `The service "${this.service}" cannot be followed: ${error.message} It is tried again.`,
      );
    }
    this.refusal = error;
    this.cancelRetry = this.ground.client.clock.setTimer(() => this.open(), REFUSED_RETRY_MS, {
      unref: true,
    });
    this.listeners.tell({ changes: [], isList: false });
  }

  /** A view has its first list. */
  private listed(): void {
    if (this.refusal) this.logger.log(`The service "${this.service}" is followed again.`);
    this.refusal = null;
    const list = [...this.view.entries].map(ofEntry);
    if (this.source === 'etcd') return this.changed(this.withDeletions(list));
    this.source = 'etcd';
    this.replace(list);
  }

  /** The list is another one altogether; nothing of it is a change in the world. */
  private replace(list: readonly TableChange[]): void {
    const standings = new Map<string, Standing>();
    this.table.take(this.withDeletions(list), standings);
    let counting = 0;
    for (const [id, { after, isGone }] of standings) {
      this.table.forget(id);
      if (!isGone && counts(after)) counting += 1;
    }
    this.guard.begin(counting);
    this.show(standings.keys(), true);
  }

  /** What leads from what is known to `list`. */
  private withDeletions(list: readonly TableChange[]): readonly TableChange[] {
    if (this.table.isEmpty) return list;
    const listed = new Set(list.map(({ key }) => key));
    const gone = this.table.keysBut(listed);
    return [...gone.map((key) => ({ key, value: null, lease: '0', createRevision: '0' })), ...list];
  }

  private changed(changes: readonly TableChange[]): void {
    const standings = new Map<string, Standing>();
    this.table.take(changes, standings);
    const moves = movesOf(standings);
    for (const id of moves.over) this.table.forget(id);
    const isAfterOutage = this.view.restoredMs() < AFTER_OUTAGE_MS;
    const now = this.ground.client.clock.now();
    this.settle(standings.keys(), this.guard.take(moves, now, isAfterOutage));
  }

  /** Time alone has ended some protection. */
  private release(): void {
    const now = this.ground.client.clock.now();
    if (this.ageMs() > CUT_OFF_AFTER_MS) {
      this.guard.postpone(now);
      return this.scheduleRelease();
    }
    this.settle([], this.guard.take({ came: [], left: [], lost: [], back: [] }, now));
  }

  private settle(touched: Iterable<string>, judged: Judgement): void {
    const { kept, released, forgotten } = judged;
    for (const id of [...released, ...forgotten]) this.table.forget(id);
    this.tell(judged);
    this.show(new Set([...touched, ...kept, ...released, ...forgotten]), false);
    this.scheduleRelease();
  }

  /** Shows anew what was touched, and tells what of it has changed. */
  private show(touched: Iterable<string>, isList: boolean): void {
    const changes: InstanceChange[] = [];
    const items = new Map<string, ServiceInstance | null>();
    for (const id of touched) {
      const before = this.table.shown(id);
      const after = this.table.refresh(id, this.guard.isKept(id));
      if (!before && !after) continue;
      changes.push({ id, before, after });
      items.set(id, after);
    }
    this.sorted.update(items);
    if (changes.length > 0 || isList) this.listeners.tell({ changes, isList });
  }

  private scheduleRelease(): void {
    this.cancelRelease?.();
    this.cancelRelease = undefined;
    const { nextAt } = this.guard;
    if (nextAt === Infinity || this.closed) return;
    const { clock } = this.ground.client;
    const delay = Math.max(0, nextAt - clock.now());
    this.cancelRelease = clock.setTimer(() => this.release(), delay, { unref: true });
  }

  private tell({ began, ended }: Judgement): void {
    if (began && this.protection) {
      const { windowMs, holdMs } = this.protection;
      this.logger.warn(
        `${began.lost} of ${began.of} instances of the service "${this.service}" were lost within ${windowMs / 1000} s without a farewell: that is taken for a fault of the registry, and they are kept in the list as protected until they register again, for ${holdMs / 1000} s at most.`,
      );
    }
    if (ended) {
      this.logger.warn(
        `The protection of the service "${this.service}" is over: ${ended.returned} instances have registered again, ${ended.givenUp} are given up.`,
      );
    }
  }
}

/** Whether an instance takes calls or soon will, by its own word: the loss of others is none. */
function counts(state: InstanceState | null): boolean {
  return state === 'up' || state === 'starting';
}

function movesOf(standings: ReadonlyMap<string, Standing>): Moves & { over: readonly string[] } {
  const moves = { came: [], left: [], lost: [], back: [], over: [] } as Record<
    keyof Moves | 'over',
    string[]
  >;
  for (const [id, { before, after, isGone }] of standings) {
    const isLost = isGone && counts(after);
    const stands = !isGone && counts(after);
    // One that was lost before may have come and gone again at once: then this is another loss, or a farewell.
    if ((stands || isLost) && !counts(before)) moves.came.push(id);
    if (isLost) {
      moves.lost.push(id);
      continue;
    }
    if (!stands && counts(before)) moves.left.push(id);
    if (!stands && after) moves.back.push(id);
    if (isGone) moves.over.push(id);
  }
  return moves;
}

function ofEntry([key, { value, lease, create_revision }]: [string, IKeyValue]): TableChange {
  return { key, value, lease, createRevision: create_revision };
}

function asTableChange({ type, key, kv }: RangeChange): TableChange {
  const value = type === 'put' ? kv.value : null;
  return { key, value, lease: kv.lease, createRevision: kv.create_revision };
}
