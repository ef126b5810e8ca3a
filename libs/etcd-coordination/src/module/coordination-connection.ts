import { Logger } from '@nestjs/common';
import { pause } from '../client/clock.js';
import type { EtcdClient } from '../client/etcd-client.js';
import type { ElectionService } from '../election/election.service.js';
import type { LockService } from '../lock/lock.service.js';
import type { ServiceDiscovery } from '../discovery/service.discovery.js';
import type { ServiceRegistry } from '../registry/service.registry.js';
import type { EtcdSession } from '../session/etcd-session.js';
import type { WatchHub } from '../watch/watch-hub.js';
import type { WatchService } from '../watch/watch.service.js';
import type { ConfigSnapshot } from '../config/snapshot/config-snapshot.js';
import type { ConfigParts } from './config-parts.js';
import type { ResolvedCoordinationOptions } from './coordination-options.js';
import type { Probing } from './probing.js';
import { shutdownStep } from './shutdown-step.js';
import { isUsable, mayPass } from './start-without-etcd.js';
import { closeTraffic, type TrafficParts } from './traffic-parts.js';

/** Over what a call may take by its own deadline; past it the step is given up. */
const SLACK_MS = 1000;

/** What one connection is made of. */
export interface ConnectionParts {
  readonly options: ResolvedCoordinationOptions;
  readonly client: EtcdClient;
  readonly session: EtcdSession;
  readonly watch: WatchHub;
  readonly watches: WatchService;
  readonly elections: ElectionService;
  readonly locks: LockService;
  readonly config: ConfigParts;
  readonly registry: ServiceRegistry;
  readonly probing: Probing;
  readonly discovery: ServiceDiscovery;
  readonly traffic: TrafficParts;
  /** What an earlier run has kept, if it was to keep anything. */
  readonly snapshot: ConfigSnapshot | null;
}

/** One connection of an application, from its first lease to its end. */
export class CoordinationConnection {
  private readonly logger = new Logger('EtcdCoordination');
  private started = false;
  private startedWithout = false;
  private starting: Promise<void> | undefined;
  private leaving: Promise<void> | undefined;
  private closing: Promise<void> | undefined;

  constructor(readonly parts: ConnectionParts) {}

  get name(): string {
    return this.parts.options.connection;
  }

  /** Whether the application is going, so that this process should get no more work. */
  get isLeaving(): boolean {
    return this.leaving !== undefined || this.closing !== undefined;
  }

  /** Whether the application has started from its snapshot while etcd is away, or grants no lease. */
  get hasStartedWithout(): boolean {
    return this.startedWithout;
  }

  /** Whether there has been a lease. */
  get hasStarted(): boolean {
    return this.started;
  }

  /**
   * Takes the lease; rejects if there is none to be had. Without a connection it is taken in the
   * background, as soon as there is one; with a usable snapshot, of configurations or of instances, it may also be had later when etcd
   * goes away after the connection was made, or is full.
   */
  start(): Promise<void> {
    return (this.starting ??= this.takeLease());
  }

  /**
   * Has the process's registrations drain, and stays for as long as everybody needs to hear of it;
   * stops campaigning, refuses locks to those who would have to wait, ends this process's terms,
   * drains what runs under them and under locks, and hands them over.
   * Never rejects.
   */
  leave(drainTimeoutMs = this.parts.options.shutdown.drainTimeoutMs): Promise<void> {
    return (this.leaving ??= this.handOver(drainTimeoutMs));
  }

  /** Revokes the lease and closes the connection. Never rejects. */
  close(): Promise<void> {
    return (this.closing ??= this.shutDown());
  }

  private async takeLease(): Promise<void> {
    const { client, session, snapshot, discovery } = this.parts;
    if (client.isAwaited) {
      session.startLater();
      this.goOnWithout();
      return;
    }
    await session.start((error) => {
      // Nobody waits for it any more.
      if (this.isLeaving || !mayPass(error)) return false;
      if (!isUsable(snapshot) && !discovery.hasKeptLists) return false;
      this.logger.warn(
        `${(error as Error).message} The application starts without a lease on the etcd connection "${this.name}": nothing leads until etcd grants one, which is asked for again and again.`,
      );
      return true;
    });
    if (session.lease) this.started = true;
    else this.goOnWithout();
  }

  private goOnWithout(): void {
    this.startedWithout = true;
    // Otherwise it is over before there was a lease.
    void this.parts.session.ready().then(
      () => (this.started = true),
      () => undefined,
    );
  }

  private async handOver(drainTimeoutMs: number): Promise<void> {
    const { elections, locks, config, probing, options } = this.parts;
    // Entries and withdrawals are registrations, and so are reports.
    const callMs = options.client.timeouts.registration + SLACK_MS;
    const noticed = this.giveNotice(callMs);
    await this.step('leaving the probing', callMs, () => probing.close());
    await this.step('leaving releases', callMs, () => config.releases.leave());
    await this.step('withdrawing from elections', callMs, () => elections.withdraw());
    // At once, for one budget: what runs under a lock may end because its term does. Work within a
    // term is that term's, too, so none of it is handed over before the work has ended.
    await Promise.all([
      this.step('draining work under locks', drainTimeoutMs + callMs, () =>
        locks.drain(drainTimeoutMs),
      ),
      this.step('draining work and handing over leadership', drainTimeoutMs + callMs, () =>
        elections.handOver(drainTimeoutMs),
      ),
      noticed,
    ]);
  }

  /** Those who call this process hear that it drains while its servers are still open. */
  private async giveNotice(callMs: number): Promise<void> {
    const { registry, client, options } = this.parts;
    // Even if there is none yet: from now on none is registered, or resumes.
    const drained = registry.drainAll();
    if (registry.registrations.length > 0) {
      await this.step('saying that its services drain', callMs, () => drained);
    }
    // Nobody calls what was never up, as in a start that fails. Who has drained before has given part of the notice.
    const leftMs = registry.upUntil + options.shutdown.noticeMs - client.clock.now();
    if (leftMs > 0) await pause(client.clock, leftMs);
  }

  private async shutDown(): Promise<void> {
    const {
      session,
      watch,
      watches,
      locks,
      config,
      registry,
      discovery,
      traffic,
      client,
      options,
    } = this.parts;
    const callMs = options.client.timeouts.write + SLACK_MS;
    // Only where a start has failed: the orderly way leaves first, and then waits here for nothing.
    await this.leave(0);
    const { drainTimeoutMs } = options.shutdown;
    await this.step(
      'writing what is gathered, closing limits and switches',
      drainTimeoutMs + callMs,
      () => closeTraffic(traffic, drainTimeoutMs),
    );
    await this.step('closing configurations', callMs, () => config.store.close());
    const { registration } = options.client.timeouts;
    await this.step('deregistering', registration + SLACK_MS, () => registry.close());
    await this.step('closing the discovery', callMs, () => discovery.close());
    await this.step('closing the locks', callMs, () => locks.close());
    await this.step('revoking the lease', callMs, () => session.close());
    await this.step('closing the watches', SLACK_MS, async () => {
      await watches.close();
      await watch.close();
    });
    await this.step('closing the client', SLACK_MS, () => client.close());
  }

  private step(what: string, budgetMs: number, run: () => Promise<void>): Promise<void> {
    const { clock } = this.parts.client;
    return shutdownStep(
      this.logger,
      clock,
      `Etcd connection "${this.name}", ${what}`,
      budgetMs,
      run,
    );
  }
}
