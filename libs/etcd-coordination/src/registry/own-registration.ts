import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { BehaviorSubject, distinctUntilChanged, type Observable } from 'rxjs';
import { Bell } from '../client/bell.js';
import { pause, type MonotonicClock } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import { ClientClosedError, LeaseNotFoundError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { instanceKey } from '../client/keys.js';
import { retryDelay } from '../client/retry-delay.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { SessionLease } from '../session/session-lease.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { CheckRunner } from './health/health-check.js';
import { SelfHealth } from './health/self-health.js';
import { InstanceEntry } from './instance-entry.js';
import { encodeInstanceRecord } from './instance-record.js';
import { InstanceRemoval } from './instance-removal.js';
import { OwnKeyView } from './own-key-view.js';
import { PredecessorWatch } from './predecessor-watch.js';
import type { Registration } from './registration.js';
import type { ResolvedRegistration } from './registration-options.js';
import { DuplicateInstanceError, RegistrationEndedError } from './registry.errors.js';
import type { HealthWord, InstanceState } from './service-instance.js';
import { WordsOfOthers } from './words-of-others.js';

/**
 * Where a registration stands.
 *
 * - `registering`: its key is being put for the first time
 * - `registered`: its key stands, and says what it is to say
 * - `lost`: its key stood, and may not do so now: the lease is gone, or somebody deleted it or put
 *   something over it. It is being put again
 * - `withdrawing`: its key is being deleted
 * - `ended`: over for good
 */
export type RegistrationPhase = 'registering' | 'registered' | 'lost' | 'withdrawing' | 'ended';

/** What a registration stands on. */
export interface RegistrationGround {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly namespace: string;
  readonly instanceId: string;
}

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** After what only somebody else can put right. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };
/** Between two looks at one who has the id already. */
const LOOK_MS = 500;
/** What was done to a key sooner than this after it was put may be done by a machine. */
const SHORT_LIVED_MS = 5000;

/** One registration of this process: puts its key, and puts it again for as long as it lasts. */
export class OwnRegistration implements Registration {
  /** Resolves when the key stands in etcd for the first time; rejects if it never will. */
  readonly stands: Promise<void>;
  readonly state$: Observable<InstanceState>;
  private readonly logger = new Logger('ServiceRegistry');
  private readonly states: BehaviorSubject<InstanceState>;
  private readonly health: SelfHealth;
  private readonly entry: InstanceEntry;
  private readonly view: OwnKeyView;
  private readonly predecessor: PredecessorWatch;
  private others: WordsOfOthers | null = null;
  private readonly bell: Bell;
  private readonly leaving = new AbortController();
  private readonly finished: Promise<void>;
  private readonly unsubscribe: () => void;
  private readonly waiters = new Set<() => void>();
  private settleStands!: { resolve: () => void; reject: (error: unknown) => void };
  private phase: RegistrationPhase = 'registering';
  private draining = false;
  /** Counts what it was asked to say, and how much of that etcd has been told. */
  private asked = 0;
  private told = 0;
  private lease: SessionLease | null = null;
  private stood = false;
  private stoodAt = -Infinity;
  /** How often in a row something was done to the key soon after it was put. */
  private disturbances = 0;
  private failures = 0;
  /** Attempts since somebody else was found under this id. */
  private collisions = 0;
  /** What may be put over: it is nobody's. */
  private stray: IKeyValue | undefined;
  /** The application is going: nothing has it resume. */
  private isGoing = false;
  /** Whether etcd was told that it is up, and nothing else since; and when it was told otherwise. */
  private saidUp = false;
  private wasUpAt = -Infinity;
  /** The lease is about to be revoked, and every key with it. */
  private shuttingDown = false;

  constructor(
    private readonly ground: RegistrationGround,
    private readonly options: ResolvedRegistration,
    sharedChecks: Iterable<CheckRunner> = [],
  ) {
    const { client, session, watch, namespace } = ground;
    this.stands = new Promise((resolve, reject) => (this.settleStands = { resolve, reject }));
    // Not everybody asks whether it stands, and that must not be an unhandled rejection.
    this.stands.catch(() => undefined);
    this.bell = new Bell(this.clock);
    this.entry = new InstanceEntry(client, instanceKey(namespace, options.service, options.id));
    this.predecessor = new PredecessorWatch(client);
    const changed = () => this.say();
    this.health = new SelfHealth(this.name, options.health, this.clock, changed, sharedChecks);
    this.states = new BehaviorSubject<InstanceState>(this.state);
    this.state$ = this.states.pipe(distinctUntilChanged());
    this.view = new OwnKeyView(client, watch, this.entry, this.bell.ring);
    this.unsubscribe = session.beforeRevocation((lease) => this.moved(lease));
    this.health.start();
    this.finished = this.run();
  }

  get service(): string {
    return this.options.service;
  }

  get id(): string {
    return this.options.id;
  }

  get state(): InstanceState {
    return this.draining ? 'draining' : this.health.word.state;
  }

  get registered(): boolean {
    const { lease, phase } = this;
    return phase === 'registered' && lease !== null && lease.isValid() && this.entry.isOn(lease);
  }

  words(): readonly HealthWord[] {
    const { state } = this;
    const by = this.ground.instanceId;
    const own = { state, source: 'instance', by, reason: this.reason };
    return [own, ...this.wordsOfOthers()];
  }

  /** Until when others may have been told that it is up, by its clock; -Infinity if they never were. */
  get upUntil(): number {
    return this.saidUp && this.entry.mayStand ? this.clock.now() : this.wasUpAt;
  }

  /** Whether it is on its way out, or out. */
  get isEnding(): boolean {
    return this.leaving.signal.aborted;
  }

  async drain(): Promise<void> {
    await this.setDraining(true);
  }

  async resume(): Promise<void> {
    if (this.isGoing && !this.isEnding) throw this.goingError();
    await this.setDraining(false);
    if (this.isEnding) throw this.endedError();
  }

  /**
   * Drains, as the application is going. Resolves when etcd has been told, or there is nothing in
   * etcd that would have to be told. Never rejects.
   */
  async drainForGood(): Promise<void> {
    this.isGoing = true;
    if (this.isEnding) return;
    this.draining = true;
    this.say();
    const { asked } = this;
    await this.until(() => this.told >= asked || this.isEnding || !this.mayBeSeen);
  }

  deregister(): Promise<void> {
    this.end(new RegistrationEndedError(this.service, this.id, 'it was deregistered'));
    return this.finished;
  }

  /** As {@link deregister}, just before the lease is revoked: does not wait for an absent etcd. */
  leave(): Promise<void> {
    this.shuttingDown = true;
    this.end(this.goingError());
    return this.finished;
  }

  /** Resolves when it is over for good. Never rejects. */
  whenEnded(): Promise<void> {
    return this.finished;
  }

  /** Asks the health checks now. */
  checkHealth(): void {
    this.health.look();
  }

  /** One more health check, from now on. */
  addCheck(runner: CheckRunner): void {
    this.health.add(runner);
  }

  removeCheck(runner: CheckRunner): void {
    this.health.remove(runner);
  }

  /** Whether it has a check of that name. */
  hasCheck(name: string): boolean {
    return this.health.has(name);
  }

  private async setDraining(draining: boolean): Promise<void> {
    if (this.isEnding) throw this.endedError();
    this.draining = draining;
    this.say();
    const { asked } = this;
    await this.until(() => this.told >= asked || this.isEnding);
  }

  /** What the instance says may have changed. */
  private say(): void {
    if (this.isEnding) return;
    this.asked += 1;
    this.bell.ring();
    this.states.next(this.state);
  }

  private end(why: Error): void {
    if (this.isEnding) return;
    this.leaving.abort(why);
    this.health.stop();
    this.others?.close();
    this.bell.ring();
    this.tell();
  }

  private async run(): Promise<void> {
    const { signal } = this.leaving;
    while (!signal.aborted) {
      try {
        await this.step(await this.nextLease());
      } catch (error) {
        if (signal.aborted) break;
        await this.failed(error);
      }
    }
    this.phase = 'withdrawing';
    this.settleStands.reject(signal.reason);
    this.unsubscribe();
    this.lease?.signal.removeEventListener('abort', this.bell.ring);
    const removal = new InstanceRemoval(this.ground.client, this.entry, this.view);
    const { upUntil } = this;
    const wasUp = upUntil === this.clock.now();
    await removal.remove(this.value('draining', null), () => this.shuttingDown);
    this.saidUp = false;
    this.wasUpAt = wasUp ? this.clock.now() : upUntil;
    this.phase = 'ended';
    this.tell();
    this.states.complete();
  }

  /** Does one thing that is to be done, or waits until there is one. */
  private async step(lease: SessionLease): Promise<void> {
    const { asked, state } = this;
    const value = this.present();
    const isTold = this.entry.says(value, lease);
    if (isTold && this.view.doubts) return this.lookAgain(value, lease);
    this.saidUp ||= state === 'up';
    if (!isTold && !(await this.put(value, lease))) return;
    if (state !== 'up') this.noLongerUp();
    // Ended meanwhile: nobody is to be told that it stands.
    if (this.isEnding) return;
    this.failures = 0;
    this.told = asked;
    if (this.phase !== 'registered') this.hasRegistered();
    this.tell();
    if (isTold) await this.bell.next();
  }

  private async put(value: Buffer, lease: SessionLease): Promise<boolean> {
    const { stray } = this;
    this.stray = undefined;
    this.view.follows();
    const outcome = await this.entry.put(value, lease, stray);
    if (outcome.kind === 'taken') {
      this.noLongerUp();
      await this.collided(outcome.by, lease);
      return false;
    }
    this.stoodAt = this.clock.now();
    return true;
  }

  private noLongerUp(): void {
    this.wasUpAt = this.upUntil;
    this.saidUp = false;
  }

  private hasRegistered(): void {
    this.phase = 'registered';
    const again = this.stood ? ' again' : '';
    this.stood = true;
    this.collisions = 0;
    this.logger.log(`${this.name} is registered${again} at ${this.options.address}.`);
    this.settleStands.resolve();
  }

  /** The view shows something else than this registration has put. */
  private async lookAgain(value: Buffer, lease: SessionLease): Promise<void> {
    this.view.follows();
    const other = await this.entry.look();
    if (this.entry.says(value, lease)) {
      // The watch has missed something; it finds that out by itself.
      this.failures += 1;
      return this.pause(retryDelay(this.failures, RETRY));
    }
    this.phase = 'lost';
    const isShortLived = this.clock.now() - this.stoodAt < SHORT_LIVED_MS;
    this.disturbances = isShortLived ? this.disturbances + 1 : 0;
    if (this.disturbances < 2) {
      const what = this.entry.createRevision === null && !other ? 'deleted' : 'put over';
      this.logger.warn(`The key ${this.entry.key} was ${what} by somebody; putting it again.`);
      return;
    }
    // Whoever goes on doing so is not to be outrun.
    await this.pause(retryDelay(this.disturbances, RETRY));
  }

  /** Somebody else's record stands where this one is to stand. */
  private async collided(by: IKeyValue, lease: SessionLease): Promise<void> {
    // What is on this process's own lease, or was put over a key that stood, is nobody's.
    if (by.lease === lease.id || (this.stood && by.lease === '0')) {
      this.stray = by;
      return;
    }
    if (this.stood) return this.waitForOther();
    const fate = await this.predecessor.look(by);
    if (fate === 'alive') throw new DuplicateInstanceError(this.service, this.id);
    if (fate === 'stray') this.stray = by;
    else await this.bell.next(this.clock.now() + LOOK_MS);
  }

  private async waitForOther(): Promise<void> {
    this.phase = 'lost';
    this.collisions += 1;
    if (this.collisions === 1) {
      const { message } = new DuplicateInstanceError(this.service, this.id);
      this.logger.error(`${message} This one is registered again once the other is gone.`);
    }
    this.tell();
    await this.bell.next(this.clock.now() + retryDelay(this.collisions, RETRY_SLOWLY));
  }

  private async failed(error: unknown): Promise<void> {
    if (error instanceof LeaseNotFoundError && this.lease) {
      this.ground.session.reportGone(this.lease);
      return this.tell();
    }
    if (error instanceof ClientClosedError) {
      const why = 'the connection to etcd was closed';
      return this.end(new RegistrationEndedError(this.service, this.id, why));
    }
    const isFinal = error instanceof DuplicateInstanceError || isFinalFailure(error);
    if (isFinal && !this.stood) return this.end(error as Error);
    this.failures += 1;
    if (this.failures === (isFinal ? 1 : 2)) {
      this.logger.warn(`${this.name} cannot be put yet, it is tried again: ${String(error)}`);
    }
    // It may have ended what kept somebody waiting.
    this.tell();
    if (!isFinal) return this.pause(retryDelay(this.failures, RETRY));
    // What it is to say now, or a new lease, need not wait for that long.
    await this.bell.next(this.clock.now() + retryDelay(this.failures, RETRY_SLOWLY));
  }

  private async nextLease(): Promise<SessionLease> {
    const { session } = this.ground;
    if (!session.lease) {
      if (this.stood) this.phase = 'lost';
      this.tell();
    }
    const lease = await session.ready(this.leaving.signal);
    if (lease !== this.lease) {
      this.lease?.signal.removeEventListener('abort', this.bell.ring);
      this.lease = lease;
      lease.signal.addEventListener('abort', this.bell.ring, { once: true });
    }
    return lease;
  }

  /** Before an older lease is revoked: resolves when the key is not on it any more. */
  private moved(lease: SessionLease): Promise<void> {
    return this.until(
      () => this.isEnding || !this.entry.mayStand || this.entry.isOn(lease) || !lease.isValid(),
    );
  }

  private until(done: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!done()) return;
        this.waiters.delete(look);
        resolve();
      };
      this.waiters.add(look);
      look();
    });
  }

  private tell(): void {
    for (const look of this.waiters) look();
  }

  private async pause(ms: number): Promise<void> {
    await pause(this.clock, ms, this.leaving.signal).catch(() => undefined);
  }

  private get reason(): string | null {
    return this.draining ? null : this.health.word.reason;
  }

  private wordsOfOthers(): readonly HealthWord[] {
    if (this.isEnding) return [];
    const { client, watch, namespace } = this.ground;
    this.others ??= new WordsOfOthers(client, watch, namespace, this.service, this.id);
    return this.others.all;
  }

  private present(): Buffer {
    return this.value(this.state, this.reason);
  }

  private value(state: InstanceState, reason: string | null): Buffer {
    const { mark } = this.entry;
    const by = this.ground.instanceId;
    return encodeInstanceRecord({ ...this.options, state, reason, by, mark });
  }

  /** Whether there may be something of it in etcd that others see. */
  private get mayBeSeen(): boolean {
    return this.entry.mayStand && this.entry.lease?.isValid() === true;
  }

  private goingError(): Error {
    return new RegistrationEndedError(this.service, this.id, 'the application is shutting down');
  }

  private endedError(): Error {
    return this.leaving.signal.reason instanceof RegistrationEndedError
      ? this.leaving.signal.reason
      : new RegistrationEndedError(this.service, this.id, 'it failed');
  }

  private get name(): string {
    return `The instance ${JSON.stringify(this.options.id)} of the service ${JSON.stringify(this.options.service)}`;
  }

  private get clock(): MonotonicClock {
    return this.ground.client.clock;
  }
}
