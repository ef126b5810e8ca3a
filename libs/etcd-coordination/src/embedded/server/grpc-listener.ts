import { once } from 'node:events';
import { type AddressInfo, type Server as NetServer, type Socket, createServer } from 'node:net';
import { type ConnectionInjector, Server, ServerCredentials } from '@grpc/grpc-js';
import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js';

/** The most that a request may weigh before it is even looked at, as in etcd. */
const MAX_MESSAGE_BYTES = 2 * 1024 * 1024;

/** How long a client may take to hear that the server ends. */
const GRACE_MS = 100;

export interface Service {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

/**
 * A gRPC server behind a socket server of our own: that one tells why it cannot
 * listen, and knows its connections.
 */
export class GrpcListener {
  private readonly sockets = new Set<Socket>();
  private readonly grpc: Server;
  private readonly injector: ConnectionInjector;
  private readonly net: NetServer;

  constructor(services: readonly Service[]) {
    this.grpc = new Server({
      'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
      'grpc.max_send_message_length': -1,
    });
    for (const { definition, implementation } of services) {
      this.grpc.addService(definition, implementation);
    }
    this.injector = this.grpc.createConnectionInjector(ServerCredentials.createInsecure());
    this.net = createServer({ noDelay: true }, (socket) => this.accept(socket));
  }

  /** Rejects with the error of the system if it cannot listen. */
  async listen(port: number, host: string): Promise<AddressInfo> {
    this.net.listen(port, host);
    await once(this.net, 'listening');
    return this.net.address() as AddressInfo;
  }

  /** Ends every connection, by force where a client is slow. Resolves when the port is free. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.net.close(() => resolve()));
    this.injector.destroy();
    const grace = setTimeout(() => {
      for (const socket of this.sockets) socket.destroy();
    }, GRACE_MS);
    await closed;
    clearTimeout(grace);
    this.grpc.forceShutdown();
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    // A client that goes away in the middle is no fault of the server's.
    socket.on('error', () => undefined);
    this.injector.injectConnection(socket);
  }
}
