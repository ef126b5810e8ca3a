import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import type { EtcdCoordinationError } from '../client/coordination.error.js';
import type { ConfigStatus } from '../config/config-change.js';
import { ConfigInvalidError } from '../config/config.errors.js';
import { ConnectionRegistry } from '../module/connection-registry.js';
import { degraded } from './degraded.js';

/** Options of {@link ConfigHealthIndicator.check}. */
export interface ConfigHealthOptions {
  /** Which connection's configurations to look at. Default `default`. */
  readonly connection?: string;
  /**
   * Milliseconds after which a value that is not known to be etcd's any more counts as stale.
   * While etcd answers, that is known anew every 5 s at the latest. Default 30000.
   */
  readonly staleAfterMs?: number;
}

/** How one configuration stands, in the words of a health check. */
interface ConfigHealth {
  readonly status: 'up' | 'degraded';
  readonly source: ConfigStatus['source'];
  readonly revision: string;
  /** When it was last known to be etcd's; null if that never was. */
  readonly currentAt: string | null;
  /** What is wrong with it. */
  readonly message?: string;
  /** The push that was refused. */
  readonly rejected?: {
    readonly layer: string | null;
    readonly revision: string;
    readonly at: string;
    readonly message: string;
  };
}

/**
 * Tells Terminus how the configurations that this process follows stand. It makes no call, so it
 * may be asked as often as one likes.
 *
 * @example
 * ```ts
 * this.health.check([() => this.configs.check('config')])
 * ```
 */
@Injectable()
export class ConfigHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly registry: ConnectionRegistry,
  ) {}

  /**
   * - `up`: each value is what etcd holds
   * - `degraded` (HTTP 200; with Terminus 11, `up` with `degraded: true`): a push was refused, and
   *   the last good value stands; or a value is stale, is the snapshot's, or is not there yet; or
   *   the snapshot cannot be read or written
   *
   * Never `down`: the last good configuration serves.
   *
   * @throws {UnknownConnectionError} if the application has no such connection
   */
  check<const Key extends string>(
    key: Key,
    { connection = DEFAULT_CONNECTION, staleAfterMs = 30_000 }: ConfigHealthOptions = {},
  ): HealthIndicatorResult<Key> {
    const indicator = this.indicators.check(key);
    const { store } = this.registry.get(connection, `The health check "${key}"`).parts.config;
    const configs = store
      .status()
      .map((status) => [status.key, healthOf(status, staleAfterMs)] as const);
    const faults = configs.flatMap(([, { message }]) => message ?? []);
    const snapshot = store.snapshotError;
    if (snapshot) faults.push(snapshot.message);
    const data = {
      configs: Object.fromEntries(configs),
      ...(snapshot && { snapshot: { reason: snapshot.reason, message: snapshot.message } }),
    };
    if (faults.length === 0) return indicator.up(data);
    return degraded(indicator, { ...data, message: faults.join(' ') });
  }
}

function healthOf(status: ConfigStatus, staleAfterMs: number): ConfigHealth {
  const { source, revision, ageMs, rejected } = status;
  const currentAt = Number.isFinite(ageMs) ? new Date(Date.now() - ageMs).toISOString() : null;
  const message = whatIsWrong(status, currentAt, staleAfterMs);
  return {
    status: message === null ? 'up' : 'degraded',
    source,
    revision: revision.toString(),
    currentAt,
    ...(message !== null && { message }),
    ...(rejected && {
      rejected: {
        layer: rejected.layer,
        revision: rejected.revision.toString(),
        at: rejected.at.toISOString(),
        message: told(rejected.error),
      },
    }),
  };
}

/** A health check is read by many: a schema's words may quote values, and stay in the log. */
function told(error: EtcdCoordinationError): string {
  return error instanceof ConfigInvalidError ? error.publicMessage : error.message;
}

function whatIsWrong(
  { key, source, synced, ageMs, rejected }: ConfigStatus,
  currentAt: string | null,
  staleAfterMs: number,
): string | null {
  if (source === null) {
    return rejected ? told(rejected.error) : `The configuration "${key}" has no value yet.`;
  }
  if (rejected) return `${told(rejected.error)} The last good value stands.`;
  if (source === 'snapshot') {
    return `The configuration "${key}" is that of the snapshot of ${currentAt}; etcd does not answer.`;
  }
  if (!synced || ageMs > staleAfterMs) {
    const since = currentAt === null ? 'never' : `last at ${currentAt}`;
    return `The configuration "${key}" may be stale: it was ${since} known to be what etcd holds.`;
  }
  return null;
}
