import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';
const ETCD_PORT = 2379;

/**
 * A TCP proxy in front of an endpoint of etcd. While it is shut it resets whatever connects, so that to the
 * process behind it etcd is away, and to all others it is not.
 */
export class Gate {
  private readonly sockets = new Set<Socket>();
  private isOpen = false;

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
  ) {
    server.on('connection', (socket) => this.pass(socket));
    // The story ends when it is told, whoever still holds a connection.
    server.unref();
  }

  /** A gate, shut, before the first of `endpoints`: `host:port` or `http://host:port`. */
  static async before([endpoint = '']: readonly string[]): Promise<Gate> {
    const server = createServer();
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, HOST, resolve);
    });
    const target = new URL(endpoint.includes('://') ? endpoint : `http://${endpoint}`);
    return new Gate(server, target);
  }

  /** Where the process behind it finds etcd. */
  get endpoint(): string {
    const { port } = this.server.address() as AddressInfo;
    return `${this.target.protocol}//${HOST}:${port}`;
  }

  open(): void {
    this.isOpen = true;
  }

  /** Resets what is connected. */
  close(): void {
    this.isOpen = false;
    for (const socket of this.sockets) socket.resetAndDestroy();
    this.server.close();
  }

  private pass(socket: Socket): void {
    socket.on('error', () => {});
    if (!this.isOpen) {
      socket.resetAndDestroy();
      return;
    }
    const { hostname, port } = this.target;
    const etcd = connect(Number(port) || ETCD_PORT, hostname.replace(/^\[|\]$/g, ''));
    etcd.on('error', () => socket.destroy());
    for (const [from, to] of [
      [socket, etcd],
      [etcd, socket],
    ] as const) {
      this.sockets.add(from);
      from.once('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
