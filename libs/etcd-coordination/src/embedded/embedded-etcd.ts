import { Logger } from '@nestjs/common';
import { systemClock } from '../client/clock.js';
import { EmbeddedEtcdListenError } from './embedded-etcd.error.js';
import {
  type EmbeddedEtcdOptions,
  addressOf,
  isLoopback,
  isWildcard,
} from './embedded-etcd.options.js';
import { EtcdStatus } from './etcd-status.js';
import { headerFactory, newIdentity } from './grpc/header.js';
import { OpenStreams } from './grpc/open-streams.js';
import { type ServiceName, etcdServices } from './grpc/proto.js';
import { kvService } from './kv/kv.service.js';
import { leaseService } from './lease/lease.service.js';
import { Lessor } from './lease/lessor.js';
import { authService } from './server/auth.service.js';
import { clusterService } from './server/cluster.service.js';
import { GrpcListener } from './server/grpc-listener.js';
import { maintenanceService } from './server/maintenance.service.js';
import { MvccStore } from './store/mvcc-store.js';
import { WatchHub } from './watch/watch-hub.js';
import { watchService } from './watch/watch.service.js';

const DEFAULT_PROGRESS_INTERVAL_MS = 600_000;

/**
 * An etcd v3 server inside this process, for development and tests: it speaks
 * etcd's gRPC API, keeps everything in memory and forgets it when closed. It
 * has one member, no authentication, no TLS and nothing on disk.
 *
 * @example
 * const etcd = await EmbeddedEtcd.start();
 * const client = new Etcd3({ hosts: etcd.endpoint });
 * // …
 * await etcd.close();
 */
export class EmbeddedEtcd {
  private closing: Promise<void> | undefined;

  private constructor(
    /** Where clients reach it, such as `http://127.0.0.1:2379`. */
    readonly endpoint: string,
    /** The port that it listens on. */
    readonly port: number,
    private readonly shutDown: () => Promise<void>,
  ) {}

  /**
   * Starts a server and resolves when it answers.
   *
   * @throws EmbeddedEtcdOptionError if an option makes no sense
   * @throws EmbeddedEtcdListenError if it cannot listen there, such as on a port in use
   */
  static async start(options: EmbeddedEtcdOptions = {}): Promise<EmbeddedEtcd> {
    const address = addressOf(options);
    const clock = options.clock ?? systemClock;
    const identity = newIdentity();
    const header = headerFactory(identity);
    const streams = new OpenStreams();
    const lessor = new Lessor(clock);
    const store = new MvccStore(lessor);
    const hub = new WatchHub(store);
    lessor.onEnd((keys) =>
      store.write((transaction) => {
        for (const key of keys) transaction.deleteRange({ from: key, to: null });
      }),
    );

    // Known only once the port is.
    let clientUrl: string | null = null;
    const definitions = etcdServices();
    const implementations: Record<ServiceName, object> = {
      KV: kvService(store, lessor, header),
      Lease: leaseService(lessor, store, header, streams),
      Watch: watchService(store, hub, header, streams, {
        clock,
        progressIntervalMs: options.progressNotifyIntervalMs ?? DEFAULT_PROGRESS_INTERVAL_MS,
      }),
      Cluster: clusterService({ identity, clientUrl: () => clientUrl }, header),
      Maintenance: maintenanceService(store, identity, header),
      Auth: authService(store, header),
    };
    const listener = new GrpcListener(
      (Object.keys(implementations) as ServiceName[]).map((name) => ({
        definition: definitions[name],
        implementation: implementations[name] as never,
      })),
    );

    const { port } = await listener.listen(address.port, address.host).catch((cause: unknown) => {
      throw new EmbeddedEtcdListenError(address.host, address.port, cause);
    });
    const endpoint = endpointOf(address.host, port);
    if (!isWildcard(address.host)) clientUrl = endpoint;
    announce(endpoint, address.host, options.logger);

    return new EmbeddedEtcd(endpoint, port, async () => {
      lessor.close();
      hub.close();
      streams.failAll(EtcdStatus.stopped());
      await listener.close();
    });
  }

  /**
   * Ends every call, stream and connection, and forgets all data. Nothing of it
   * keeps the process alive afterwards. Calling it again changes nothing.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function endpointOf(host: string, port: number): string {
  const reachable = isWildcard(host) ? '127.0.0.1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

function announce(
  endpoint: string,
  host: string,
  logger: EmbeddedEtcdOptions['logger'] = new Logger('EmbeddedEtcd'),
): void {
  if (!logger) return;
  logger.log(
    `An in-memory etcd for development and tests, not for production, listens on ${endpoint}; ` +
      'its data is gone when it stops.',
  );
  if (isLoopback(host)) return;
  logger.warn(
    `The in-memory etcd listens on ${host}, so anyone who reaches this machine can read and ` +
      'change its data: it has no authentication. Leave host out to listen on 127.0.0.1 only.',
  );
}
