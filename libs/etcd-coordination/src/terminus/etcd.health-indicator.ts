import { Injectable } from '@nestjs/common';
import { type HealthIndicatorResult, HealthIndicatorService } from '@nestjs/terminus';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { ConnectionRegistry } from '../module/connection-registry.js';
import { degraded } from './degraded.js';

/** Options of {@link EtcdHealthIndicator.check}. */
export interface EtcdHealthOptions {
  /** Which connection to look at. Default `default`. */
  readonly connection?: string;
}

/**
 * Tells Terminus how this process stands with etcd. It looks at the session's state and makes no
 * call, so it may be asked as often as one likes.
 *
 * @example
 * ```ts
 * @Module({ imports: [TerminusModule], providers: [EtcdHealthIndicator], controllers: [HealthController] })
 * export class HealthModule {}
 *
 * this.health.check([() => this.etcd.check('etcd')])
 * ```
 */
@Injectable()
export class EtcdHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly registry: ConnectionRegistry,
  ) {}

  /**
   * - `up`: the lease stands and its keepalives are answered
   * - `degraded` (HTTP 200; with Terminus 11, `up` with `degraded: true`): keepalives are missed or
   *   the lease is lost, and another is being asked for; this process serves, and leads only for as
   *   long as its lease is certain; or it has started from its snapshot while etcd is away, and
   *   leads nothing
   * - `down`: there has been no lease yet otherwise, or the application is shutting down
   *
   * @throws {UnknownConnectionError} if the application has no such connection
   */
  check<const Key extends string>(
    key: Key,
    { connection: name = DEFAULT_CONNECTION }: EtcdHealthOptions = {},
  ): HealthIndicatorResult<Key> {
    const indicator = this.indicators.check(key);
    const connection = this.registry.get(name, `The health check "${key}"`);
    const { state } = connection.parts.session;
    if (connection.isLeaving || state === 'closing' || state === 'closed') {
      return indicator.down({ session: state, message: 'The application is shutting down.' });
    }
    if (!connection.hasStarted && connection.hasStartedWithout) {
      return degraded(indicator, {
        session: state,
        message: connection.parts.client.isAwaited
          ? 'etcd has not been reached since the start; the configuration is that of the snapshot, and this process leads nothing until it is.'
          : 'etcd has been reached, and has not granted a lease yet; this process leads nothing until it does.',
      });
    }
    if (!connection.hasStarted) {
      return indicator.down({ session: state, message: 'etcd has not granted a lease yet.' });
    }
    if (state === 'active') return indicator.up({ session: state });
    return degraded(indicator, {
      session: state,
      message: 'etcd does not answer; leadership ends, if it does not answer soon.',
    });
  }
}
