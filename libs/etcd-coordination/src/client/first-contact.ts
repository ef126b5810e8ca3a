import { Logger } from '@nestjs/common';
import type { Authenticator } from './authenticator.js';
import type { Caller } from './caller.js';
import type { ClientOptions } from './client-options.js';
import { pause, type MonotonicClock } from './clock.js';
import type { EtcdCoordinationError } from './coordination.error.js';
import type { Endpoint } from './endpoint.js';
import type { EndpointPool } from './endpoint-pool.js';
import {
  connectFailure,
  EtcdConnectError,
  TwoClustersError,
  type ConnectFailure,
} from './etcd-connect.error.js';
import { ClientClosedError } from './etcd.errors.js';
import { grpcFailure } from './grpc-failure.js';
import { retryDelay } from './retry-delay.js';
import { settledWithin } from './settled-within.js';

/** How long a start waits for the other endpoints once one has answered. */
const OTHERS_MS = 250;

/** Pauses between attempts when the first one failed. */
const AGAIN = { initialDelayMs: 100, maxDelayMs: 1000 };

/** Finds out whether the endpoints can be used: at the start, and then until they can. */
export class FirstContact {
  private readonly logger = new Logger('EtcdClient');
  private readonly closing = new AbortController();
  /** Why there has been none yet, after a first attempt failed; null otherwise. */
  awaited: EtcdCoordinationError | null = null;

  constructor(
    private readonly options: ClientOptions,
    private readonly clock: MonotonicClock,
    private readonly pool: EndpointPool,
    private readonly caller: Caller,
    private readonly authenticator: Authenticator,
  ) {}

  /** Asks every endpoint, and resolves soon after the first has answered. */
  async make(): Promise<void> {
    const failures: ConnectFailure[] = [];
    const reached = this.pool.all.map(async (endpoint) => {
      try {
        await this.reach(endpoint);
      } catch (error) {
        const failure = connectFailure(endpoint.address.url, grpcFailure(causeOf(error)));
        failures.push(failure);
        throw error;
      }
    });
    try {
      await Promise.any(reached);
    } catch {
      throw new EtcdConnectError(this.options.connection, failures);
    }
    // Those that answer at all do so within moments of the first.
    await settledWithin(this.clock, Promise.allSettled(reached), OTHERS_MS);
    assertOneCluster(this.options.connection, this.pool.all);
    void Promise.allSettled(reached).then(() => {
      if (this.closing.signal.aborted) return;
      for (const { endpoint, reason, detail } of failures) {
        this.logger.warn(
          `Endpoint ${endpoint} of the etcd connection "${this.options.connection}" cannot be used (${reason}: ${detail}); going on with the others.`,
        );
      }
    });
  }

  /** Tries again until there is contact, after a first attempt failed with `error`. Rejects only when closed. */
  async makeEventually(error: EtcdCoordinationError): Promise<void> {
    const { signal } = this.closing;
    const since = this.clock.now();
    this.awaited = error;
    for (let attempt = 1; this.awaited; attempt++) {
      await pause(this.clock, retryDelay(attempt, AGAIN), signal).catch(() => undefined);
      this.assertOpen();
      try {
        await this.make();
        this.assertOpen();
        this.awaited = null;
      } catch (failure) {
        this.assertOpen();
        this.stillAwaited(failure as EtcdCoordinationError);
      }
    }
    const seconds = Math.round((this.clock.now() - since) / 1000);
    this.logger.log(
      `The etcd connection "${this.options.connection}" is made, ${seconds} s after the start.`,
    );
  }

  close(): void {
    this.closing.abort();
  }

  /** Says so when there is another reason than before: first it was an outage, and now the password is wrong. */
  private stillAwaited(error: EtcdCoordinationError): void {
    const last = this.awaited;
    this.awaited = error;
    if (last && reasonsOf(last) === reasonsOf(error)) return;
    this.logger.warn(`${error.message} The connection is tried again until it can be made.`);
  }

  private async reach(endpoint: Endpoint): Promise<void> {
    const timeoutMs = this.options.timeouts.connect;
    if (this.options.auth) await this.authenticator.authenticate(endpoint, timeoutMs);
    await this.caller.probe(endpoint, timeoutMs);
  }

  private assertOpen(): void {
    if (this.closing.signal.aborted) throw new ClientClosedError(this.options.connection);
  }
}

/** Two clusters have two leaders for every election. */
function assertOneCluster(connection: string, endpoints: readonly Endpoint[]): void {
  const [first, ...others] = endpoints.filter((e) => e.clusterId !== null);
  const other = others.find((e) => e.clusterId !== first!.clusterId);
  if (other) throw new TwoClustersError(connection, first!.address.url, other.address.url);
}

function reasonsOf(error: EtcdCoordinationError): string {
  if (!(error instanceof EtcdConnectError)) return error.code;
  const reasons = error.failures.map(({ endpoint, reason }) => `${endpoint} ${reason}`);
  return reasons.sort().join();
}

function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown }).cause ?? error;
}
