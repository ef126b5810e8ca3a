import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConnectionRegistry } from '../module/connection-registry.js';
import type { CoordinationConnection } from '../module/coordination-connection.js';
import { configHealth } from './config-health.js';
import { degraded } from './degraded.js';
import { discoveryHealth } from './discovery-health.js';
import {
  type EtcdHealthOptions,
  type EtcdLivenessOptions,
  type EtcdReadinessOptions,
  HEALTH_PARTS,
  type HealthPart,
  readHealthOptions,
} from './health-options.js';
import { leadershipHealth } from './leadership-health.js';
import type { PartHealth } from './part-health.js';
import { registryHealth } from './registry-health.js';
import { sessionHealth, sessionLiveness } from './session-health.js';
import { watchHealth } from './watch-health.js';

type ReadinessSettings = Required<EtcdReadinessOptions>;

const LOOK: Record<
  HealthPart,
  (connection: CoordinationConnection, settings: ReadinessSettings) => PartHealth
> = {
  watches: ({ parts }, { staleAfterMs }) => watchHealth(parts.watch, staleAfterMs),
  configuration: ({ parts }, { staleAfterMs }) => configHealth(parts.config.store, staleAfterMs),
  leadership: ({ parts }) => leadershipHealth(parts.elections, parts.session.state),
  registry: (connection) => registryHealth(connection),
  discovery: ({ parts, isLeaving }, { services }) =>
    discoveryHealth(parts.discovery, services, isLeaving),
};

/**
 * Tells Terminus how this process stands with etcd. It looks at what the process knows and makes no
 * call, so it may be asked as often as one likes.
 *
 * @example
 * ```ts
 * @Module({ imports: [TerminusModule], providers: [EtcdHealthIndicator], controllers: [HealthController] })
 * export class HealthModule {}
 *
 * @Get('live') live() { return this.health.check([() => this.etcd.liveness('etcd')]); }
 * @Get('ready') ready() { return this.health.check([() => this.etcd.readiness('etcd')]); }
 * ```
 */
@Injectable()
export class EtcdHealthIndicator {
  /** A connection that was ready once serves from what it knows. */
  private readonly ready = new WeakSet<CoordinationConnection>();

  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly registry: ConnectionRegistry,
  ) {}

  /**
   * The session alone, for an application with one health check for all.
   *
   * - `up`: the lease stands and its keepalives are answered
   * - `degraded` (HTTP 200; with Terminus 11, `up` with `degraded: true`): keepalives are missed or
   *   the lease is lost, and another is being asked for; this process serves, and leads only for as
   *   long as its lease is certain; or it has started from its snapshot while etcd is away, and
   *   leads nothing
   * - `down`: there has been no lease yet otherwise, or the application is shutting down
   *
   * @throws {UnknownConnectionError} if the application has no such connection
   * @throws {InvalidHealthOptionError} for an option that it cannot take
   */
  check<const Key extends string>(
    key: Key,
    options: EtcdHealthOptions = {},
  ): HealthIndicatorResult<Key> {
    const { connection } = readHealthOptions(key, options, ['connection']);
    return this.answer(key, [sessionHealth(this.get(key, connection))]);
  }

  /**
   * Whether a restart would help: for a liveness probe.
   *
   * - `up`: this process is well, or nothing is wrong that a restart would cure. That etcd is away, or the
   *   lease is lost, is no reason, and neither is a shutdown
   * - `down`: etcd has refused it a lease for `refusedAfterMs`, as it does with a wrong password; or the
   *   connection was closed though the application goes on
   *
   * @throws {UnknownConnectionError} if the application has no such connection
   * @throws {InvalidHealthOptionError} for an option that it cannot take
   */
  liveness<const Key extends string>(
    key: Key,
    options: EtcdLivenessOptions = {},
  ): HealthIndicatorResult<Key> {
    const read = readHealthOptions(key, options, ['connection', 'refusedAfterMs']);
    const connection = this.get(key, read.connection);
    return this.answer(key, [sessionLiveness(connection, read.refusedAfterMs)]);
  }

  /**
   * Whether this process should get traffic: for a readiness probe. The message says all that is wrong.
   *
   * - `down`: it starts, or shuts down; an instance that it has registered is not `up`, by its own word or
   *   somebody's mark; or it has never been ready, and a configuration or a service's list that it asked for is
   *   not here yet
   * - `degraded` (HTTP 200; with Terminus 11, `up` with `degraded: true`): it serves from what it knows:
   *   etcd is away, or the lease in doubt; a watch is older than `staleAfterMs`; a configuration is the last
   *   good one, or the snapshot's, or stale; it is not registered, or a prober finds it down; a service's
   *   list is a snapshot's, or holds protected instances
   * - `up`: nothing of that
   *
   * A prober's word makes it `degraded` at most: it may have asked this check, and would never get
   * another answer.
   *
   * @throws {UnknownConnectionError} if the application has no such connection
   * @throws {InvalidHealthOptionError} for an option that it cannot take
   */
  readiness<const Key extends string>(
    key: Key,
    options: EtcdReadinessOptions = {},
  ): HealthIndicatorResult<Key> {
    const known = ['connection', 'staleAfterMs', 'services', 'without'] as const;
    const read = readHealthOptions(key, options, known);
    const connection = this.get(key, read.connection);
    const parts = HEALTH_PARTS.filter((part) => !read.without.includes(part));
    const found = [sessionHealth(connection), ...parts.map((part) => LOOK[part](connection, read))];
    const isReady = found.every(({ down = [], missing = [] }) => !down.length && !missing.length);
    if (isReady) this.ready.add(connection);
    return this.answer(key, found, this.ready.has(connection));
  }

  private get(key: string, connection: string): CoordinationConnection {
    return this.registry.get(connection, `The health check "${key}"`);
  }

  private answer<const Key extends string>(
    key: Key,
    found: readonly PartHealth[],
    wasReady = true,
  ): HealthIndicatorResult<Key> {
    const indicator = this.indicators.check(key);
    const details: Record<string, unknown> = Object.assign(
      {},
      ...found.map((part) => part.details),
    );
    const all = (kind: 'down' | 'missing' | 'degraded') =>
      found.flatMap((part) => part[kind] ?? []);
    const down = [...all('down'), ...(wasReady ? [] : all('missing'))];
    const faults = [...down, ...(wasReady ? all('missing') : []), ...all('degraded')];
    if (faults.length === 0) return indicator.up(details);
    const data = { ...details, message: faults.join(' ') };
    return down.length > 0 ? indicator.down(data) : degraded(indicator, data);
  }
}
