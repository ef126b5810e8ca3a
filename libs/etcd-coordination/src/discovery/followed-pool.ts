import { Logger } from '@nestjs/common';
import { Observable, type Subscriber } from 'rxjs';
import { ClientClosedError } from '../client/etcd.errors.js';
import type { ServiceInstance } from '../registry/service-instance.js';
import type { Candidate } from './choose/candidate.js';
import { NoInstanceError } from './discovery.errors.js';
import type { ResolvedDiscoveryOptions } from './discovery-options.js';
import type { DiscoverySnapshot, SavedList } from './discovery-snapshot.js';
import { Fleet, type FleetOwner } from './fleet.js';
import type { Attempt, BeginOptions, ChooseOptions, ServicePool } from './service-pool.js';
import type { ServiceStatus } from './service-status.js';
import { ServiceView, type InstanceChanges, type ViewGround } from './service-view.js';

/** So long etcd may take to show its list before a snapshot's stands in, in milliseconds. */
const SNAPSHOT_AFTER_MS = 1000;

/** What the pools of a connection have in common. */
export interface PoolGround extends ViewGround, FleetOwner {
  readonly options: ResolvedDiscoveryOptions;
  readonly snapshot: DiscoverySnapshot | null;
}

/** What a pool has while it follows its service. */
interface Following {
  readonly view: ServiceView;
  readonly fleet: Fleet;
  /** Until then etcd may still show its list to whoever can wait for it, though another one stands in. */
  isSettled: boolean;
  cancelStandIn(): void;
}

/**
 * One service as this process knows it. It is followed from the first use on; one that is not used
 * for long is let go, and followed anew when it is.
 */
export class FollowedPool implements ServicePool {
  readonly instances$: Observable<readonly ServiceInstance[]>;
  private readonly logger = new Logger('ServiceDiscovery');
  private readonly subscribers = new Set<Subscriber<readonly ServiceInstance[]>>();
  /** Who waits for a list, by what has them look again. */
  private readonly waiting = new Set<() => void>();
  private following: Following | null = null;
  /** What was known when it was let go: better than nothing, until etcd shows its list. */
  private lastKnown: (SavedList & { readonly savedAt: Date }) | null = null;
  private usedAt = 0;
  private cancelIdle: (() => void) | undefined;
  private closed = false;

  constructor(
    private readonly ground: PoolGround,
    readonly service: string,
  ) {
    this.instances$ = new Observable((subscriber) => this.show(subscriber));
  }

  get isReady(): boolean {
    return isReady(this.use());
  }

  /** Whether it is followed now. */
  get isFollowed(): boolean {
    return this.following !== null && !this.closed;
  }

  /** How it stands; null if it is not followed. Counts as no use. */
  status(): ServiceStatus | null {
    if (!this.following || this.closed) return null;
    const { view, fleet } = this.following;
    return {
      service: this.service,
      source: view.origin,
      ageMs: view.ageMs(),
      instances: view.instances.length,
      ...fleet.count(this.ground.client.clock.now()),
      protected: view.protectedCount,
      error: view.error,
    };
  }

  ageMs(): number {
    return this.use()?.view.ageMs() ?? Infinity;
  }

  async ready(signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (this.isReady) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (how: () => void) => {
        this.waiting.delete(look);
        signal?.removeEventListener('abort', look);
        how();
      };
      const look = () => {
        const { following } = this;
        if (signal?.aborted) settle(() => reject(signal.reason as Error));
        else if (isReady(following)) settle(resolve);
        else if (this.closed || !following) settle(() => reject(this.closedError()));
        else if (following.view.error) settle(() => reject(following.view.error!));
      };
      this.waiting.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  instances(): readonly ServiceInstance[] {
    return this.use()?.view.instances ?? [];
  }

  choose(options?: ChooseOptions): ServiceInstance {
    return this.candidate(options).instance;
  }

  begin(options?: BeginOptions): Attempt {
    const candidate = this.candidate(options);
    const { fleet } = this.following!;
    const { clock } = this.ground.client;
    const since = clock.now();
    fleet.began(candidate, since);
    let isOver = false;
    const end = (how: 'succeeded' | 'failed' | 'abandoned', why?: unknown) => {
      if (isOver) return;
      isOver = true;
      this.usedAt = clock.now();
      fleet.ended(candidate, how, since, this.usedAt, why);
    };
    return {
      instance: candidate.instance,
      succeeded: () => end('succeeded'),
      failed: () => end('failed'),
      abandoned: (why) => end('abandoned', why),
    };
  }

  /** Follows it, if it is not followed already. */
  follow(): void {
    this.use();
  }

  /** Follows nothing any more; the last list stays, for what is still to be called. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.cancelIdle?.();
    this.letGo();
    for (const subscriber of [...this.subscribers]) subscriber.complete();
    this.tellWaiting();
  }

  private candidate(options: BeginOptions | undefined): Candidate {
    const following = this.use();
    if (!following?.view.isReady) throw new NoInstanceError(this.service, this.whyNotReady());
    const candidate = following.fleet.choose(options, this.usedAt);
    if (candidate) return candidate;
    const { fleet } = following;
    const why = fleet.whyNotUp();
    const cause = why === null ? undefined : new Error(why);
    throw new NoInstanceError(this.service, fleet.describe(options), cause);
  }

  private whyNotReady(): string {
    const error = this.following?.view.error;
    if (this.closed) return 'the connection is closed';
    if (error) return `its list is refused: ${error.message}`;
    return 'its list is not here yet; await ready() before';
  }

  private show(subscriber: Subscriber<readonly ServiceInstance[]>): () => void {
    this.subscribers.add(subscriber);
    const view = this.use()?.view;
    if (view?.isReady) subscriber.next(view.instances);
    if (this.closed) subscriber.complete();
    return () => {
      this.subscribers.delete(subscriber);
    };
  }

  private use(): Following | null {
    this.usedAt = this.ground.client.clock.now();
    if (!this.following && !this.closed) this.start();
    return this.following;
  }

  private start(): void {
    const { ground, service } = this;
    const { options, client } = ground;
    const view = new ServiceView(ground, service, options.protection);
    const fleet = new Fleet(ground, options);
    // Whoever has started without etcd need not wait to find that out.
    const standInAfter = client.isAwaited ? 0 : SNAPSHOT_AFTER_MS;
    const due = () => void this.listIsDue(following);
    const cancelStandIn = client.clock.setTimer(due, standInAfter, { unref: true });
    const following = { view, fleet, isSettled: false, cancelStandIn };
    this.following = following;
    view.subscribe((changes) => this.changed(following, changes));
    // Those who cannot wait for etcd's list have this one at once.
    if (this.lastKnown) view.standIn(this.lastKnown);
    this.watchUse(options.idleMs);
  }

  private changed({ view, fleet }: Following, changes: InstanceChanges): void {
    fleet.apply(changes, this.ground.client.clock.now());
    if (changes.isList || changes.changes.length > 0) {
      this.ground.snapshot?.keep(this.service, () => view.saved());
      for (const subscriber of [...this.subscribers]) subscriber.next(view.instances);
    }
    this.tellWaiting();
  }

  /** etcd has not shown its list: the last one that was known is taken, if there is one. */
  private async listIsDue(following: Following): Promise<void> {
    const { snapshot } = this.ground;
    const { view } = following;
    await snapshot?.open();
    const saved = this.lastKnown ?? snapshot?.read(this.service);
    following.isSettled = true;
    if (!saved || view.origin === 'etcd' || this.following !== following) return;
    this.logger.warn(
      `The instances of the service "${this.service}" are those that were known at ${saved.savedAt.toISOString()}, until etcd answers.`,
    );
    this.lastKnown = saved;
    view.standIn(saved);
    this.tellWaiting();
  }

  private tellWaiting(): void {
    for (const look of [...this.waiting]) look();
  }

  private watchUse(idleMs: number): void {
    if (idleMs === 0) return;
    const { clock } = this.ground.client;
    const remaining = Math.max(1, this.usedAt + idleMs - clock.now());
    this.cancelIdle = clock.setTimer(
      () => {
        const isIdle = clock.now() - this.usedAt >= idleMs;
        const isWanted = this.subscribers.size > 0 || this.waiting.size > 0;
        if (isWanted) this.usedAt = clock.now();
        if (!isIdle || isWanted) return this.watchUse(idleMs);
        const saved = this.following?.view.saved();
        // An empty list needs nobody to stand in for it.
        if (saved)
          this.lastKnown = saved.entries.length > 0 ? { ...saved, savedAt: new Date() } : null;
        this.letGo();
        this.following = null;
      },
      remaining,
      { unref: true },
    );
  }

  private letGo(): void {
    if (!this.following) return;
    this.following.cancelStandIn();
    // Nothing comes any more that could be waited for.
    this.following.isSettled = true;
    this.ground.snapshot?.settle(this.service);
    this.following.view.close();
  }

  private closedError(): ClientClosedError {
    return new ClientClosedError(this.ground.client.options.connection);
  }
}

/** Whether there is a list, and nobody need wait for a newer one. */
function isReady(following: Following | null): boolean {
  if (!following) return false;
  const { view, isSettled } = following;
  return view.origin === 'etcd' || (view.isReady && isSettled);
}
