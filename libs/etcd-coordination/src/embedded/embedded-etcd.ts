import { Logger } from '@nestjs/common';
import { systemClock } from '../client/clock.js';
import { EmbeddedEtcdListenError } from './embedded-etcd.error.js';
import {
  type EmbeddedEtcdOptions,
  addressOf,
  isLoopback,
  isWildcard,
} from './embedded-etcd.options.js';
import { type ServiceName, etcdServices } from './grpc/proto.js';
import { EtcdCore } from './etcd-core.js';
import { GrpcListener } from './server/grpc-listener.js';

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
    private readonly core: EtcdCore,
    private readonly listener: GrpcListener,
  ) {}

  /**
   * Starts a server and resolves when it answers.
   *
   * @throws EmbeddedEtcdOptionError if an option makes no sense
   * @throws EmbeddedEtcdListenError if it cannot listen there, such as on a port in use
   */
  static async start(options: EmbeddedEtcdOptions = {}): Promise<EmbeddedEtcd> {
    const address = addressOf(options);
    const core = new EtcdCore(
      options.clock ?? systemClock,
      options.progressNotifyIntervalMs ?? DEFAULT_PROGRESS_INTERVAL_MS,
    );
    // Known only once the port is.
    let clientUrl: string | null = null;
    const definitions = etcdServices();
    const services = core.services(() => clientUrl);
    const listener = new GrpcListener(
      (Object.keys(services) as ServiceName[]).map((name) => ({
        definition: definitions[name],
        implementation: services[name] as never,
      })),
    );

    const { port } = await listener.listen(address.port, address.host).catch((cause: unknown) => {
      throw new EmbeddedEtcdListenError(address.host, address.port, cause);
    });
    const endpoint = endpointOf(address.host, port);
    if (!isWildcard(address.host)) clientUrl = endpoint;
    announce(endpoint, address.host, options.logger);
    return new EmbeddedEtcd(endpoint, port, core, listener);
  }

  /**
   * Ends every call, stream and connection, and forgets all data. Nothing of it
   * keeps the process alive afterwards. Calling it again changes nothing.
   */
  close(): Promise<void> {
    this.closing ??= this.shutDown();
    return this.closing;
  }

  private async shutDown(): Promise<void> {
    this.core.close();
    await this.listener.close();
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
