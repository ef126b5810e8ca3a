import type { Client, Metadata } from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import { ExponentialBackoff, noop } from 'cockatiel';
import {
  AuthClient,
  ClusterClient,
  Etcd3,
  MaintenanceClient,
  Namespace,
  type ICallable,
} from 'etcd3';

/**
 * How long a raw watch waits before it asks for another stream. Nothing can end its timer,
 * which holds a closed process; with etcd3's default that was for up to 30 s.
 */
const WATCH_BACKOFF = new ExponentialBackoff({ initialDelay: 50, maxDelay: 500 }).next();

/** What etcd3's classes ask of a connection pool. */
export type SharedPool = ICallable<unknown>;

/** What etcd3 hands to those who want a service client. */
export interface ServiceConnection {
  resource: unknown;
  client: Client;
  metadata: Metadata;
}

/**
 * The raw etcd3 client, with its own pool put aside: all its calls and streams go over
 * the connection that this library shares, with its deadlines, its back-off and its
 * fail-over, and without etcd3's retries of writes and its circuit breakers.
 */
export class SharedEtcd3 extends Etcd3 {
  private readonly logger = new Logger(SharedEtcd3.name);

  constructor(pool: SharedPool, hosts: string[]) {
    // etcd3's own pool opens nothing until it is asked for a connection, and it never is.
    super({
      hosts,
      faultHandling: { host: () => noop, global: noop, watchBackoff: WATCH_BACKOFF },
    });
    // A namespace builds all it needs on the pool that it is given.
    Object.assign(this, new Namespace(Buffer.alloc(0), pool as never, this.options), {
      auth: new AuthClient(pool),
      cluster: new ClusterClient(pool),
      maintenance: new MaintenanceClient(pool),
    });
  }

  /** The connection is shared and closed by the module; calling this does nothing. */
  override close(): void {
    this.logger.warn(
      'close() of the injected Etcd3 was ignored: the connection is shared, and EtcdCoordinationModule closes it when the application closes.',
    );
  }

  /** Not supported: a mock would be seen by everyone who shares the connection. */
  override mock(): never {
    throw new TypeError(
      'The injected Etcd3 is shared and cannot be mocked; start EmbeddedEtcd and give its endpoint to the module instead.',
    );
  }
}
