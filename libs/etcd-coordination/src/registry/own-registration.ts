import { Logger } from '@nestjs/common';
import type { IKeyValue } from 'etcd3';
import { BehaviorSubject, distinctUntilChanged, type Observable } from 'rxjs';
import { Bell } from '../client/bell.js';
import { pause, type MonotonicClock } from '../client/clock.js';
import { ClientClosedError, LeaseNotFoundError } from '../client/etcd.errors.js';
import { isFinalFailure } from '../client/final-failure.js';
import { instanceKey } from '../client/keys.js';
import { retryDelay } from '../client/retry-delay.js';
import type { SessionLease } from '../session/session-lease.js';
import { Collisions } from './collisions.js';
import type { CheckRunner } from './health/health-check.js';
import { SelfHealth } from './health/self-health.js';
import { InstanceEntry } from './instance-entry.js';
import { encodeInstanceRecord } from './instance-record.js';
import { InstanceRemoval } from './instance-removal.js';
import { OwnKeyView } from './own-key-view.js';
import type { Registration } from './registration.js';
import type { RegistrationGround } from './registration-ground.js';
import type { ResolvedRegistration } from './registration-options.js';
import { DuplicateInstanceError, RegistrationEndedError } from './registry.errors.js';
import { OWN_SOURCE, type HealthWord, type InstanceState } from './service-instance.js';
import { UpWord } from './up-word.js';
import { Waiters } from './waiters.js';
import { WordsOfOthers } from './words-of-others.js';

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** After what only somebody else can put right. */
const RETRY_SLOWLY = { initialDelayMs: 1000, maxDelayMs: 30_000 };
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
  private readonly collisions: Collisions;
  private others: WordsOfOthers | null = null;
  private readonly bell: Bell;
  private readonly leaving = new AbortController();
  private readonly finished: Promise<void>;
  private readonly unsubscribe: () => void;
  private readonly waiters = new Waiters();
  private readonly up: UpWord;
  private settleStands!: { resolve: () => void; reject: (error: unknown) => void };
  /** Whether its key stands, and says what it is to say; and whether it ever did. */
  private isThere = false;
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
  /** The application is going: nothing has it resume. */
  private isGoing = false;
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
    this.up = new UpWord(this.clock, () => this.entry.mayStand);
    this.collisions = new Collisions(client, options);
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
    const { lease, isThere } = this;
    return isThere && lease !== null && lease.isValid() && this.entry.isOn(lease);
  }

  words(): readonly HealthWord[] {
    const { state } = this;
    const by = this.ground.instanceId;
    const own = { state, source: OWN_SOURCE, by, reason: this.reason };
    return [own, ...this.wordsOfOthers()];
  }

  /** Until when others may have been told that it is up, by its clock; -Infinity if they never were. */
  get upUntil(): number {
    return this.up.until;
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
    await this.waiters.until(() => this.told >= asked || this.isEnding || !this.mayBeSeen);
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
    await this.waiters.until(() => this.told >= asked || this.isEnding);
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
    this.waiters.tell();
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
    this.isThere = false;
    this.settleStands.reject(signal.reason);
    this.unsubscribe();
    this.lease?.signal.removeEventListener('abort', this.bell.ring);
    const removal = new InstanceRemoval(this.ground.client, this.entry, this.view);
    const wasUp = this.up.stands;
    await removal.remove(this.value('draining', null), () => this.shuttingDown);
    // Those who see it go hear of it no sooner.
    this.up.unsay(wasUp ? this.clock.now() : this.up.until);
    this.waiters.tell();
    this.states.complete();
  }

  /** Does one thing that is to be done, or waits until there is one. */
  private async step(lease: SessionLease): Promise<void> {
    const { asked, state } = this;
    const value = this.present();
    const isTold = this.entry.says(value, lease);
    if (isTold && this.view.doubts) return this.lookAgain(value, lease);
    if (state === 'up') this.up.say();
    if (!isTold && !(await this.put(value, lease))) return;
    if (state !== 'up') this.up.unsay();
    // Ended meanwhile: nobody is to be told that it stands.
    if (this.isEnding) return;
    this.failures = 0;
    this.told = asked;
    if (!this.isThere) this.hasRegistered();
    this.waiters.tell();
    if (isTold) await this.bell.next();
  }

  private async put(value: Buffer, lease: SessionLease): Promise<boolean> {
    const stray = this.collisions.takeStray();
    this.view.follows();
    const outcome = await this.entry.put(value, lease, stray);
    if (outcome.kind === 'taken') {
      this.up.unsay();
      await this.collided(outcome.by, lease);
      return false;
    }
    this.stoodAt = this.clock.now();
    return true;
  }

  private hasRegistered(): void {
    this.isThere = true;
    const again = this.stood ? ' again' : '';
    this.stood = true;
    this.collisions.over();
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
    this.isThere = false;
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
    const fate = await this.collisions.judge(by, lease, this.stood);
    if (fate.kind === 'stray') return;
    this.isThere = false;
    this.waiters.tell();
    await this.bell.next(this.clock.now() + fate.waitMs);
  }

  private async failed(error: unknown): Promise<void> {
    if (error instanceof LeaseNotFoundError && this.lease) {
      this.ground.session.reportGone(this.lease);
      return this.waiters.tell();
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
    this.waiters.tell();
    if (!isFinal) return this.pause(retryDelay(this.failures, RETRY));
    // What it is to say now, or a new lease, need not wait for that long.
    await this.bell.next(this.clock.now() + retryDelay(this.failures, RETRY_SLOWLY));
  }

  private async nextLease(): Promise<SessionLease> {
    const { session } = this.ground;
    if (!session.lease) {
      this.isThere = false;
      this.waiters.tell();
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
    return this.waiters.until(
      () => this.isEnding || !this.entry.mayStand || this.entry.isOn(lease) || !lease.isValid(),
    );
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
