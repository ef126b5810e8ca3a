import { Logger } from '@nestjs/common';
import type { Observable } from 'rxjs';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { ClientClosedError } from '../client/etcd.errors.js';
import { configLivePrefix } from '../client/keys.js';
import { PrefixView } from '../watch/prefix-view.js';
import type { ConfigChange, ConfigRejection, ConfigSource, ConfigStatus } from './config-change.js';
import { ConfigEvaluator, newestRevision, type RawDocument } from './config-evaluator.js';
import type { ConfigGround } from './config-ground.js';
import { layersFor } from './config-layer.js';
import type { ConfigDeclaration } from './config-options.js';
import { ConfigInvalidError, ConfigMissingError, ConfigUnavailableError } from './config.errors.js';
import { LastGoodValue } from './last-good-value.js';
import { LiveKeys, sameState, type LiveCandidate, type LiveState } from './live-keys.js';
import type { CandidateOutcome, FollowedConfig } from './release/followed-config.js';
import type { SnapshotState } from './snapshot/config-snapshot.js';
import { doubtOf } from './snapshot/snapshot-doubt.js';
import { WatchedConfig } from './watched-config.js';

/** Between two attempts to follow what etcd refuses to show, in milliseconds. */
const REFUSED_RETRY_MS = 10_000;

/** Who wants to know of a follower. */
export interface FollowerEvents {
  /** A push was refused. */
  rejected(rejection: ConfigRejection): void;
  /** Takes part in its releases; what it returns ends that. */
  follow(config: FollowedConfig): () => void;
}

/** What documents came to. */
type Result<T> = { readonly value: T } | { readonly error: EtcdCoordinationError };

/**
 * Follows one configuration in etcd, and turns every state of it into a value, or refuses it and
 * keeps the last good one.
 *
 * Where format and schema allow it, a change is applied in the very turn of the event loop that
 * brings it. What takes longer is begun in order and settled in order: a result that is overtaken
 * by that of a later state is dropped.
 */
export class ConfigFollower<T = unknown> extends WatchedConfig<T> implements FollowedConfig {
  readonly key: string;
  readonly value$: Observable<T>;
  readonly changes$: Observable<ConfigChange<T>>;
  private readonly logger = new Logger('ConfigStore');
  private readonly good: LastGoodValue<T>;
  private readonly evaluator: ConfigEvaluator<T>;
  private readonly keys: LiveKeys;
  private readonly waiters = new Set<{ resolve: () => void; reject: (why: Error) => void }>();
  private readonly outcomeListeners = new Set<() => void>();
  private view!: PrefixView;
  private unfollow: () => void = () => undefined;
  private cancelTimer: (() => void) | undefined;
  private over = false;
  /** How often in a row etcd has refused to show it. */
  private refusals = 0;
  /** What was last seen in etcd. */
  private seen: LiveState | null = null;
  /** States are numbered as they come, and settled in that order. */
  private issued = 0;
  private settled = 0;
  private rejection: ConfigRejection | null = null;
  private outcome: CandidateOutcome | null = null;
  /** Why there is no value, once that is known. */
  private unready: EtcdCoordinationError | null = null;
  /** When the value's documents were last known to be etcd's, if it is the snapshot's. */
  private savedAt: Date | null = null;

  constructor(
    private readonly ground: ConfigGround,
    private readonly declaration: ConfigDeclaration<T>,
    private readonly events: FollowerEvents,
  ) {
    super();
    this.key = declaration.key;
    this.good = new LastGoodValue(this.key);
    this.value$ = this.good.value$;
    this.changes$ = this.good.changes$;
    this.evaluator = new ConfigEvaluator(declaration, ground.client.clock);
    this.keys = new LiveKeys(ground.namespace, this.key, ground.identity);
  }

  get value(): T {
    return this.good.value;
  }

  get live(): PrefixView {
    return this.view;
  }

  /** Begins. */
  start(): void {
    this.openView();
    const { client } = this.ground;
    if (client.isAwaited) return this.standIn('has not been reached since the start');
    const { connect, read } = client.options.timeouts;
    this.cancelTimer = client.clock.setTimer(() => {
      if (!this.view.synced) this.standIn(`has not answered within ${connect + read} ms`);
    }, connect + read);
  }

  present(): ConfigChange<T> {
    return this.good.present();
  }

  status(): ConfigStatus {
    const { source, revision } = this.good;
    return {
      key: this.key,
      source,
      revision,
      synced: this.view.synced && !this.view.error,
      // The wall clock may have been set back since.
      ageMs: this.savedAt ? Math.max(0, Date.now() - this.savedAt.getTime()) : this.view.ageMs(),
      rejected: this.rejection,
      release: this.seen?.release ?? null,
    };
  }

  ready(): Promise<void> {
    if (this.good.loaded) return Promise.resolve();
    if (this.over) return Promise.reject(this.closedError());
    if (this.unready) return Promise.reject(this.unready);
    return new Promise((resolve, reject) => this.waiters.add({ resolve, reject }));
  }

  candidateOutcome(): CandidateOutcome | null {
    return this.outcome;
  }

  onCandidateOutcome(listener: () => void): () => void {
    this.outcomeListeners.add(listener);
    return () => this.outcomeListeners.delete(listener);
  }

  /** Follows no more. The last value can still be read. */
  close(): void {
    if (this.over) return;
    this.confirmSnapshot();
    this.over = true;
    this.cancelTimer?.();
    this.closeView();
    this.failWaiters(this.closedError());
    this.good.complete();
  }

  private openView(): void {
    const { client, watch, namespace, checkIntervalMs } = this.ground;
    const options = checkIntervalMs === undefined ? {} : { checkIntervalMs };
    this.view = new PrefixView(client, watch, configLivePrefix(namespace, this.key), options);
    this.view.subscribe(() => this.look());
    this.unfollow = this.events.follow(this);
    // It may have been refused already, before anybody listened.
    if (this.view.error) this.look();
  }

  private closeView(): void {
    this.unfollow();
    this.unfollow = () => undefined;
    this.view.close();
  }

  /** Looks at what etcd holds now. */
  private look(): void {
    if (this.over) return;
    if (this.view.error) return this.refused(this.view.error);
    if (!this.view.synced) return;
    this.refusals = 0;
    const state = this.keys.read(this.view.entries);
    if (this.seen && sameState(this.seen, state)) return;
    if (!this.seen) this.compareWithSnapshot(state.documents);
    this.seen = state;
    this.issued += 1;
    if (this.outcome?.releaseId !== state.candidate?.releaseId) this.tellOutcome(null);
    if (state.candidate) this.tryCandidate(this.issued, state, state.candidate);
    else this.tryDocuments(this.issued, state);
  }

  private tryCandidate(
    ticket: number,
    state: LiveState,
    { releaseId, layer, documents, fault }: LiveCandidate,
  ): void {
    const refuse = (error: EtcdCoordinationError) => {
      const outcome: CandidateOutcome = { releaseId, state: 'rejected', reason: error.message };
      this.tryDocuments(ticket, state, { error, outcome });
    };
    if (!documents) {
      const place = { key: this.key, layer, revision: null };
      const what = `the release ${releaseId} is under way, and ${fault}`;
      return refuse(new ConfigInvalidError(place, what));
    }
    this.evaluate(documents, (result) => {
      if ('error' in result) return refuse(result.error);
      this.settle(ticket, () => {
        this.recovered();
        this.accept(result.value, documents, 'etcd');
        this.tellOutcome({ releaseId, state: 'applied', reason: null });
      });
    });
  }

  /** `refused`: a release's document that was tried first. */
  private tryDocuments(
    ticket: number,
    { documents }: LiveState,
    refused?: { error: EtcdCoordinationError; outcome: CandidateOutcome },
  ): void {
    const settle = (result: Result<T>, source: ConfigSource) =>
      this.settle(ticket, () => {
        if (refused) this.refuse(refused.error);
        if ('error' in result) {
          this.refuse(result.error);
        } else {
          if (!refused) this.recovered();
          this.accept(result.value, documents, source);
          this.keepInSnapshot(documents, new Date());
        }
        if (refused) this.tellOutcome(refused.outcome);
      });
    if (documents.length > 0) return this.evaluate(documents, (result) => settle(result, 'etcd'));
    const { default: value } = this.declaration;
    if (value !== undefined) return settle({ value }, 'default');
    settle({ error: new ConfigMissingError(this.key, layersFor(this.ground.identity)) }, 'default');
  }

  /**
   * Calls `done` at once if it can be, and again with the error if it fails on the value: what a
   * schema made can be anything, and fail as late as when it is compared with the one before it.
   */
  private evaluate(documents: readonly RawDocument[], done: (result: Result<T>) => void): void {
    const succeeded = (value: T) => {
      try {
        done({ value });
      } catch (error) {
        failed(error);
      }
    };
    const failed = (cause: unknown) => {
      const place = { key: this.key, layer: null, revision: newestRevision(documents) };
      const error =
        cause instanceof EtcdCoordinationError
          ? cause
          : new ConfigInvalidError(place, 'it could not be read; see the cause', [], cause);
      done({ error });
    };
    let value: T | Promise<T>;
    try {
      value = this.evaluator.evaluate(documents);
    } catch (error) {
      return failed(error);
    }
    if (value instanceof Promise) value.then(succeeded, failed);
    else succeeded(value);
  }

  /** Lets a state count, unless a later one counts already. */
  private settle(ticket: number, count: () => void): void {
    if (this.over || ticket < this.settled) return;
    this.settled = ticket;
    count();
  }

  private accept(value: T, documents: readonly RawDocument[], source: ConfigSource): void {
    const revision = newestRevision(documents);
    const change = this.good.take(value, revision, source);
    if (source !== 'snapshot') this.savedAt = null;
    this.unready = null;
    this.cancelTimer?.();
    if (change) this.good.tell(change);
    for (const { resolve } of this.waiters) resolve();
    this.waiters.clear();
  }

  /** What etcd holds now is good. */
  private recovered(): void {
    if (this.savedAt) this.logger.log(`The configuration "${this.key}" is read from etcd again.`);
    if (this.rejection) this.logger.log(`The configuration "${this.key}" is good again.`);
    this.rejection = null;
  }

  private refuse(error: EtcdCoordinationError): void {
    const { layer = null, revision = null } = error instanceof ConfigInvalidError ? error : {};
    this.rejection = { key: this.key, layer, revision: revision ?? 0n, error, at: new Date() };
    const stands = this.good.loaded ? ' The last good value stands.' : '';
    this.logger.error(`${error.message}${stands}`);
    this.events.rejected(this.rejection);
    if (!this.good.loaded) this.standInFor(error);
  }

  /** etcd refuses to show the configuration; or the connection is closed. */
  private refused(error: EtcdCoordinationError): void {
    if (error instanceof ClientClosedError) return this.close();
    this.closeView();
    const said = `The configuration "${this.key}" cannot be followed: ${error.message}`;
    if (this.refusals === 0) this.logger.error(`${said} It is tried again.`);
    this.refusals += 1;
    if (!this.good.loaded) this.standInFor(error);
    this.cancelTimer?.();
    this.cancelTimer = this.ground.client.clock.setTimer(() => this.openView(), REFUSED_RETRY_MS);
  }

  /** etcd is away: what the snapshot holds is the value, or the default. */
  private standIn(fault: string): void {
    if (this.good.loaded || this.over) return;
    this.standInFor(new ConfigUnavailableError(this.key, fault), `etcd ${fault}`);
  }

  /** There is no value yet, and etcd gives none: the snapshot's is taken, or the default, or none. */
  private standInFor(error: EtcdCoordinationError, why = error.message): void {
    // Somebody has deleted it: what the snapshot holds is known to be over.
    const isMissing = error instanceof ConfigMissingError;
    const saved = isMissing ? null : this.savedState();
    if (!saved || saved.documents.length === 0) return this.standInDefault(error, why);
    this.evaluate(saved.documents, (result) => {
      if (this.good.loaded || this.over) return;
      if ('error' in result) {
        this.logger.error(`The snapshot is of no use here: ${result.error.message}`);
        return this.standInDefault(error, why);
      }
      this.savedAt = saved.savedAt;
      this.logger.warn(
        `The configuration "${this.key}" is read from the snapshot of ${saved.savedAt.toISOString()} (${age(saved.savedAt)} ago): ${why}`,
      );
      this.accept(result.value, saved.documents, 'snapshot');
    });
  }

  private standInDefault(error: EtcdCoordinationError, why: string): void {
    const { default: value } = this.declaration;
    if (value === undefined) {
      this.unready = error;
      return this.failWaiters(error);
    }
    this.logger.warn(
      `The configuration "${this.key}" is its default, for want of a better: ${why}`,
    );
    this.accept(value, [], 'default');
  }

  private savedState(): SnapshotState | null {
    return this.ground.snapshot?.read(this.key, layersFor(this.ground.identity)) ?? null;
  }

  private compareWithSnapshot(documents: readonly RawDocument[]): void {
    const { clusterId, revision } = this.view;
    const saved = this.savedState();
    const doubt = saved && doubtOf(saved, { documents, clusterId, revision });
    if (doubt) this.logger.warn(`The snapshot of the configuration "${this.key}" ${doubt}`);
  }

  private keepInSnapshot(documents: readonly RawDocument[], savedAt: Date): void {
    this.ground.snapshot?.keep(this.key, { documents, savedAt, clusterId: this.view.clusterId });
  }

  /** What is in force is etcd's until now, although it may be long since it was written. */
  private confirmSnapshot(): void {
    if (!this.seen || this.rejection || this.outcome || this.issued !== this.settled) return;
    const age = this.view.ageMs();
    if (!this.view.synced || !Number.isFinite(age)) return;
    this.keepInSnapshot(this.seen.documents, new Date(Date.now() - age));
  }

  private tellOutcome(outcome: CandidateOutcome | null): void {
    if (this.outcome === null && outcome === null) return;
    this.outcome = outcome;
    for (const listener of this.outcomeListeners) listener();
  }

  private failWaiters(error: EtcdCoordinationError): void {
    for (const { reject } of this.waiters) reject(error);
    this.waiters.clear();
  }

  private closedError(): ClientClosedError {
    return new ClientClosedError(this.ground.client.options.connection);
  }
}

/** How long ago it was, for people. */
function age(since: Date): string {
  const seconds = Math.max(0, Math.round((Date.now() - since.getTime()) / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}
