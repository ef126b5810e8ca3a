import { createHash, randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { distinctUntilChanged, Observable } from 'rxjs';
import { ClientClosedError, RequestTooLargeError } from '../../client/etcd.errors.js';
import { configReleaseKey, configReportsPrefix } from '../../client/keys.js';
import type { EtcdSession } from '../../session/etcd-session.js';
import { PrefixView } from '../../watch/prefix-view.js';
import type { WatchHub } from '../../watch/watch-hub.js';
import type { ConfigIdentity } from '../config-identity.js';
import { assertConfigName } from '../config-name.js';
import type { ConfigPublisher, SetConfigOptions } from '../config-publisher.js';
import { MAX_DOCUMENT_BYTES } from '../config-history.js';
import { assertWrite } from '../config-write-checks.js';
import { ConfigConflictError, ConfigTooLargeError } from '../config.errors.js';
import type { FollowedConfig } from './followed-config.js';
import { CHECK_TIMEOUT_MS, HealthChecks, type HealthCheck } from './health-checks.js';
import { ReleaseController } from './release-controller.js';
import { ReleaseFollower } from './release-follower.js';
import type { ReleaseLeadership } from './release-leadership.js';
import type { ObservationTimings } from './release-observation.js';
import { readReleasePlan, type ReleasePlanOptions } from './release-plan.js';
import { digestOf, isUnderWay } from './release-record.js';
import { ReleaseReporter } from './release-reporter.js';
import {
  ReleaseStore,
  reportsOf,
  standingRecord,
  type FoundRelease,
  type ReleasePlace,
  type StandingRelease,
} from './release-store.js';
import type { ReleaseEvent } from './release-transitions.js';
import { releaseView, type ReleaseView } from './release-view.js';
import {
  ReleaseBusyError,
  ReleaseNotUnderWayError,
  ReleaseUnderWayError,
} from './release.errors.js';

/** How a release goes, and what is written. */
export interface StartReleaseOptions extends ReleasePlanOptions, SetConfigOptions {}

/** Who does something to a release, and why. */
export interface ReleaseActionOptions {
  /** Default: the id of this instance. */
  readonly author?: string;
  readonly reason?: string;
}

/** What the releases of one connection stand on. */
export interface ReleasesGround extends ReleasePlace {
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly identity: ConfigIdentity;
  readonly publisher: Pick<ConfigPublisher, 'prepare'>;
  readonly leadership: ReleaseLeadership;
  readonly timings?: ObservationTimings;
}

/** Elections have names of no more bytes; longer names of configurations are hashed. */
const LONGEST_NAME = 400;
/** How often something is tried on a release that keeps changing. */
const ATTEMPTS = 10;

/**
 * Staged releases: a document goes to some instances first, to more of them step by step once
 * they have been well with it for a while, and then becomes its layer's. If it does harm, it is
 * taken back by itself; where an instance never is well, with it or before, it waits for that, or
 * for an operator who promotes or aborts it.
 *
 * Each configuration has one release at a time, whose state is in etcd. The instances that follow
 * the configuration report on it, and one that they elect among them controls it; whoever starts
 * it may go.
 *
 * A release is made from the layer as it stands at its start. A `set` of that layer is not
 * refused while it is under way: it wins, and the release is taken back as soon as it is seen.
 */
export class ConfigReleases {
  private readonly store: ReleaseStore;
  private readonly health: HealthChecks;
  private readonly followers = new Set<ReleaseFollower>();
  private leaving: Promise<void> | undefined;

  constructor(private readonly ground: ReleasesGround) {
    this.store = new ReleaseStore(ground);
    this.health = new HealthChecks(CHECK_TIMEOUT_MS, ground.client.clock);
  }

  /**
   * Starts a release of `value`, which is checked as `set` does. Resolves when it stands in
   * etcd, before any instance has the document.
   *
   * In etcd: one transaction puts the release's record and the document beside the layer's.
   *
   * @throws {InvalidConfigWriteError} if author, reason or format make no sense
   * @throws {InvalidReleasePlanError} if steps, labels or times make no sense
   * @throws {ReleaseUnderWayError} if there is one already
   * @throws {ConfigInvalidError}, {ConfigTooLargeError}, {ConfigConflictError} as `set` does
   * @throws {WriteOutcomeUnknownError} if every answer of etcd was lost
   */
  async start(
    key: string,
    value: unknown,
    options: StartReleaseOptions = {},
  ): Promise<ReleaseView> {
    assertWrite(key, options);
    const plan = readReleasePlan(key, options);
    const { layer = 'shared', author = this.ground.identity.instanceId, reason = null } = options;
    const seen = await this.store.read(key);
    if (isUnderWay(seen.record)) throw new ReleaseUnderWayError(key, seen.record);
    const { document, format, state } = await this.ground.publisher.prepare(key, value, options);
    const base = state.standing?.mod_revision ?? '0';
    const sha256 = digestOf(document);
    const start = { id: randomUUID(), layer, format, sha256, plan, base, author, reason };
    const record = await this.store.start(key, seen, start, document).catch((error: unknown) => {
      if (!(error instanceof RequestTooLargeError)) throw error;
      const { length } = document;
      throw ConfigTooLargeError.written(key, layer, length, MAX_DOCUMENT_BYTES, error);
    });
    if (record) return releaseView(key, { record, reports: new Map() });
    const now = await this.store.read(key, layer);
    if (isUnderWay(now.record)) throw new ReleaseUnderWayError(key, now.record);
    const revision = now.layerRevision;
    if (revision === base) throw new ReleaseBusyError(key, 'started');
    throw new ConfigConflictError({
      ...{ key, layer, expected: BigInt(base), deleted: revision === '0' },
      revision: revision === '0' ? null : BigInt(revision),
      ...{ author: null, at: null, reason: null },
    });
  }

  /** The last release of a configuration, as etcd has it now; null if there never was one. */
  async get(key: string): Promise<ReleaseView | null> {
    assertConfigName(key);
    return viewOf(key, await this.store.read(key));
  }

  /**
   * The last release of a configuration as it changes, the present one or null first. Completes
   * with the connection; errors only if etcd refuses to show it.
   */
  release$(key: string): Observable<ReleaseView | null> {
    assertConfigName(key);
    return new Observable<ReleaseView | null>((subscriber) => {
      const { client, watch, namespace } = this.ground;
      const release = configReleaseKey(namespace, key);
      const [records, reports] = [release, configReportsPrefix(namespace, key)].map(
        (prefix) => new PrefixView(client, watch, prefix),
      ) as [PrefixView, PrefixView];
      const tell = () => {
        const error = records.error ?? reports.error;
        if (error instanceof ClientClosedError) return subscriber.complete();
        if (error) return subscriber.error(error);
        if (!records.synced || !reports.synced) return;
        const { record } = standingRecord(records.entries.get(release));
        const found = record && reportsOf(record.id, reports.entries.values());
        subscriber.next(record && releaseView(key, { record, reports: found! }));
      };
      for (const view of [records, reports]) view.subscribe(tell);
      return () => {
        records.close();
        reports.close();
      };
    }).pipe(distinctUntilChanged((a, b) => isDeepStrictEqual(a, b)));
  }

  /**
   * Holds a release where it is: no other instance gets the document until {@link resume}. It is
   * taken back all the same if it does harm. Pausing again is pausing once.
   *
   * @throws {ReleaseNotUnderWayError} if there is none
   */
  pause(key: string, options: ReleaseActionOptions = {}): Promise<ReleaseView> {
    return this.act(key, 'pause', 'paused', options);
  }

  /**
   * Lets a paused release go on: its step is watched from the beginning.
   *
   * @throws {ReleaseNotUnderWayError} if there is none
   */
  resume(key: string, options: ReleaseActionOptions = {}): Promise<ReleaseView> {
    return this.act(key, 'resume', 'resumed', options);
  }

  /**
   * Gives a release's document to everybody at once: it becomes the layer's, with its entry in
   * the history.
   *
   * @throws {ReleaseNotUnderWayError} if there is none
   * @throws {ConfigConflictError} if the layer was changed since it was started
   * @throws {ReleaseDocumentError} if its document was deleted or overwritten by others
   */
  promote(key: string, options: ReleaseActionOptions = {}): Promise<ReleaseView> {
    return this.act(key, 'promote', 'promoted', options);
  }

  /** Takes a release back from everybody who has its document. @throws {ReleaseNotUnderWayError} if there is none */
  abort(key: string, options: ReleaseActionOptions = {}): Promise<ReleaseView> {
    return this.act(key, 'abort', 'aborted', options);
  }

  /**
   * Adds a check by which this instance says whether it is well: it answers `true`, or `false`,
   * or why not. While a release is under way it is asked every second; one that throws, rejects
   * or takes longer than 3 s says no. Returns what removes it.
   *
   * @throws {InvalidHealthCheckError} if the name is taken or empty, or the check is no function
   */
  healthCheck(name: string, check: HealthCheck): () => void {
    return this.health.add(name, check);
  }

  /**
   * Takes part in the releases of a configuration that this process follows: reports on them,
   * and stands for controller. For the store. Returns what ends that.
   */
  follow(config: FollowedConfig): () => void {
    if (this.leaving) return () => undefined;
    const { namespace, identity, leadership } = this.ground;
    const follower = new ReleaseFollower(config, {
      ...{ namespace, identity },
      report: (release) =>
        new ReleaseReporter({ ...this.ground, health: this.health }, config, release),
      stand: () =>
        leadership.lead(electionName(config.key), (term) =>
          new ReleaseController(
            { ...this.ground, instanceId: identity.instanceId, store: this.store },
            ...([config, term] as const),
          ).run(),
        ),
    });
    this.followers.add(follower);
    return () => {
      this.followers.delete(follower);
      void follower.leave();
    };
  }

  /**
   * The shutdown's step, before the session closes: gives the control on, and says of this
   * instance that it leaves in good order. Never rejects.
   */
  leave(): Promise<void> {
    return (this.leaving ??= Promise.all([...this.followers].map((f) => f.leave())).then(
      () => undefined,
    ));
  }

  /** What an operator does to a release; again on what it has become if it changes at that moment. */
  private async act(
    key: string,
    type: 'pause' | 'resume' | 'promote' | 'abort',
    done: string,
    options: ReleaseActionOptions,
  ): Promise<ReleaseView> {
    assertWrite(key, options);
    const { author = this.ground.identity.instanceId, reason } = options;
    const event: ReleaseEvent = { type, what: reason ?? `${done} by ${author}` };
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const seen = await this.store.read(key);
      if (!isFound(seen) || !isUnderWay(seen.record)) {
        throw new ReleaseNotUnderWayError(key, type, seen.record);
      }
      const { state } = seen.record;
      if (type === 'pause' && state === 'paused') return releaseView(key, seen);
      if (type === 'resume' && state === 'rolling') return releaseView(key, seen);
      const record = await this.store.change(key, seen, event, author);
      if (record) {
        return releaseView(key, { record, reports: isUnderWay(record) ? seen.reports : new Map() });
      }
    }
    throw new ReleaseBusyError(key, done);
  }
}

/** Each configuration has an election of its own: whoever wins it follows that configuration. */
function electionName(key: string): string {
  const name =
    Buffer.byteLength(key) <= LONGEST_NAME ? key : createHash('sha256').update(key).digest('hex');
  return `config-release/${name}`;
}

function viewOf(key: string, standing: StandingRelease): ReleaseView | null {
  return isFound(standing) ? releaseView(key, standing) : null;
}

function isFound(standing: StandingRelease): standing is FoundRelease {
  return standing.record !== null;
}
