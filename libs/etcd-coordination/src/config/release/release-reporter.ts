import { Logger } from '@nestjs/common';
import type { EtcdClient } from '../../client/etcd-client.js';
import { ClientClosedError, LeaseNotFoundError } from '../../client/etcd.errors.js';
import { configCandidateKey, configReportKey } from '../../client/keys.js';
import { retryDelay } from '../../client/retry-delay.js';
import { systemClock, type MonotonicClock } from '../../client/clock.js';
import type { EtcdSession } from '../../session/etcd-session.js';
import type { SessionLease } from '../../session/session-lease.js';
import type { ConfigIdentity } from '../config-identity.js';
import { Bell } from '../../client/bell.js';
import type { FollowedConfig } from './followed-config.js';
import type { Health, HealthChecks } from './health-checks.js';
import { encodeReleaseReport, type ReleaseReport } from './release-report.js';

/** What a reporter stands on, and for whom it reports. */
export interface ReporterGround {
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly namespace: string;
  readonly identity: ConfigIdentity;
  readonly health: HealthChecks;
  readonly clock?: MonotonicClock;
}

/** The release that is reported on. */
export interface ReportedRelease {
  readonly id: string;
  /** The mod revision of its document, as a decimal. */
  readonly candidateRevision: string;
}

const RETRY = { initialDelayMs: 100, maxDelayMs: 2000 };
/** Between two looks at the health of this instance, in milliseconds. */
const HEALTH_INTERVAL_MS = 1000;
/** How often a word of leaving is tried. */
const LEAVE_ATTEMPTS = 3;

/**
 * Keeps this instance's report on one release: put on the session's lease, again when that is
 * taken anew, and otherwise only when it changes.
 *
 * Each write compares the mod revision of the release's document, which is put once and deleted
 * when the release is over, and that of the report: so none comes late, and none stays behind.
 */
export class ReleaseReporter {
  private readonly logger = new Logger('ConfigReleases');
  private readonly clock: MonotonicClock;
  private readonly bell: Bell;
  private readonly stopping = new AbortController();
  private readonly unsubscribe: () => void;
  private readonly done: Promise<void>;
  private cancelPoll: () => void = () => undefined;
  private health: Health | null = null;
  private healthyBefore: boolean | null = null;
  /** Whether it was ever well with the document. */
  private wellWithIt = false;
  private state: ReleaseReport['state'] = 'waiting';
  /** What etcd has been told, and on which lease. */
  private told: { readonly report: string; readonly lease: SessionLease } | null = null;
  /** The mod revision of the report as far as it is known. */
  private modRevision = '0';

  constructor(
    private readonly ground: ReporterGround,
    private readonly config: FollowedConfig,
    readonly release: ReportedRelease,
  ) {
    this.clock = ground.clock ?? systemClock;
    this.bell = new Bell(this.clock);
    this.unsubscribe = config.onCandidateOutcome(() => this.poll());
    this.poll();
    this.done = this.keepTold();
  }

  /** Reports no more. What was reported goes with the release or with the lease. Never rejects. */
  async stop(): Promise<void> {
    if (!this.stopping.signal.aborted) {
      this.stopping.abort();
      this.unsubscribe();
      this.cancelPoll();
      this.told?.lease.signal.removeEventListener('abort', this.bell.ring);
      this.bell.ring();
    }
    await this.done;
  }

  /**
   * Says that this instance leaves in good order, so that nobody takes it for dead. Resolves
   * when etcd has been told, or could not be. Never rejects.
   */
  async leave(): Promise<void> {
    await this.stop();
    const report = this.report(true);
    if (report === null) return;
    try {
      for (let attempt = 1; attempt <= LEAVE_ATTEMPTS; attempt++) {
        // On no lease: it is to outlive the one that is about to be revoked.
        if ((await this.put(report, null)) !== 'changed') return;
      }
    } catch (error) {
      if (error instanceof ClientClosedError) return;
      this.logger.warn(
        `Nobody could be told that this instance leaves, so it counts as dead in the release of "${this.config.key}": ${String(error)}`,
      );
    }
  }

  /** Asks the health checks, now and then each second, one round at a time. */
  private poll(): void {
    this.cancelPoll();
    let isStale = false;
    this.cancelPoll = () => (isStale = true);
    const outcome = this.config.candidateOutcome();
    const state = outcome?.releaseId === this.release.id ? outcome.state : 'waiting';
    void this.ground.health.ask().then((health) => {
      if (isStale || this.stopping.signal.aborted) return;
      this.cancelPoll = this.clock.setTimer(() => this.poll(), HEALTH_INTERVAL_MS);
      this.seen(health, state);
    });
  }

  /** What became of the document is told with a look at the health that began after it. */
  private seen(health: Health, state: ReleaseReport['state']): void {
    this.health = health;
    if (state === 'waiting') this.healthyBefore = health.healthy;
    // It came up with the document, and is told to have applied it once it is well for the first
    // time: until then nothing can be told from a start that takes its time.
    else if (state === 'applied' && health.healthy) this.healthyBefore ??= true;
    if (state !== 'applied') this.wellWithIt = false;
    else if (health.healthy) this.wellWithIt = true;
    const isStarting = state === 'applied' && this.healthyBefore === null;
    this.state = isStarting ? 'waiting' : state;
    this.bell.ring();
  }

  /** What is to be told; null before the first look at the health. */
  private report(leaving: boolean): string | null {
    const { health, healthyBefore, state } = this;
    if (health === null) return null;
    const { instanceId, labels } = this.ground.identity;
    const isBefore = healthyBefore ?? health.healthy;
    const rejection = state === 'rejected' ? this.config.candidateOutcome()?.reason : undefined;
    return encodeReleaseReport({
      ...{ instanceId, releaseId: this.release.id, state, leaving, labels },
      healthy: health.healthy,
      healthyBefore: isBefore,
      hasBeenWell: isBefore || this.wellWithIt,
      reason: rejection ?? health.reason,
    }).toString();
  }

  private async keepTold(): Promise<void> {
    const { session } = this.ground;
    const { signal } = this.stopping;
    for (let failures = 0; !signal.aborted;) {
      const report = this.report(false);
      if (report === null || (this.told?.report === report && this.told.lease.isValid())) {
        await this.bell.next();
        continue;
      }
      let lease: SessionLease | undefined;
      try {
        lease = await session.ready(signal);
        const outcome = await this.put(report, lease);
        if (outcome === 'over') return;
        if (outcome === 'changed') continue;
        this.told = { report, lease };
        failures = 0;
        // The next lease is to carry it too.
        lease.signal.addEventListener('abort', this.bell.ring, { once: true });
      } catch (error) {
        if (signal.aborted || error instanceof ClientClosedError) return;
        if (lease && error instanceof LeaseNotFoundError) session.reportGone(lease);
        failures += 1;
        if (failures === 1) {
          this.logger.warn(
            `The report on the release of "${this.config.key}" is not in etcd yet, it is tried again: ${String(error)}`,
          );
        }
        await this.bell.next(this.clock.now() + retryDelay(failures, RETRY));
      }
    }
  }

  /** One attempt: `changed` means that the report was not as expected, and how it is is known now. */
  private async put(
    report: string,
    lease: SessionLease | null,
  ): Promise<'told' | 'changed' | 'over'> {
    const { client, namespace, identity } = this.ground;
    const own = Buffer.from(configReportKey(namespace, this.config.key, identity.instanceId));
    const candidate = Buffer.from(configCandidateKey(namespace, this.config.key));
    const isAt = (key: Buffer, mod_revision: string) =>
      ({ result: 'Equal', target: 'Mod', key, mod_revision }) as const;
    const put = { key: own, value: Buffer.from(report), ...(lease && { lease: lease.id }) };
    const { succeeded, responses, header } = await client.txn(
      {
        compare: [isAt(own, this.modRevision), isAt(candidate, this.release.candidateRevision)],
        success: [{ request_put: put }],
        failure: [{ request_range: { key: own } }, { request_range: { key: candidate } }],
      },
      { repeatable: true },
    );
    if (succeeded) {
      this.modRevision = header.revision;
      return 'told';
    }
    const [found, document] = responses.map(({ response_range }) => response_range?.kvs[0]);
    if (document?.mod_revision !== this.release.candidateRevision) return 'over';
    this.modRevision = found?.mod_revision ?? '0';
    // An earlier request of ours was applied and its answer lost.
    const isOwn = found?.value.toString() === report && found.lease === (lease?.id ?? '0');
    return isOwn ? 'told' : 'changed';
  }
}
