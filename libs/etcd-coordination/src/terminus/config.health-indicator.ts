import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { ConnectionRegistry } from '../module/connection-registry.js';
import { configHealth } from './config-health.js';
import { degraded } from './degraded.js';
import { readHealthOptions, type ConfigHealthOptions } from './health-options.js';

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
   * @throws {InvalidHealthOptionError} for an option that it cannot take
   */
  check<const Key extends string>(
    key: Key,
    options: ConfigHealthOptions = {},
  ): HealthIndicatorResult<Key> {
    const read = readHealthOptions(key, options, ['connection', 'staleAfterMs']);
    const connection = this.registry.get(read.connection, `The health check "${key}"`);
    const found = configHealth(connection.parts.config.store, read.staleAfterMs);
    const faults = [...(found.missing ?? []), ...(found.degraded ?? [])];
    const indicator = this.indicators.check(key);
    if (faults.length === 0) return indicator.up(found.details);
    return degraded(indicator, { ...found.details, message: faults.join(' ') });
  }
}
