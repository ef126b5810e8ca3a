import { connect, createServer, type Server, type Socket } from 'node:net';
import { TcpFlow, type Direction } from './tcp-flow.js';

export type { Direction } from './tcp-flow.js';

/** Which way a blackhole swallows. */
export type BlackholeWay = 'both' | Direction;

/** Looks at each piece of data; what it returns goes on, null swallows the piece. */
export type ByteHook = (
  direction: Direction,
  data: Buffer,
  connection: ProxiedConnection,
) => Buffer | null;

export interface TcpProxyOptions {
  /** `host:port` of the server behind; may be set later through {@link TcpProxy.target}. */
  readonly target?: string;
  /** Left out, any free port. */
  readonly port?: number;
}

/** One connection through the proxy. */
export interface ProxiedConnection {
  /** 1 for the first connection, 2 for the second, … */
  readonly id: number;
  /** Ends it with a TCP reset. */
  reset(): void;
}

interface Connection extends ProxiedConnection {
  readonly client: Socket;
  readonly server: Socket;
  readonly flows: Record<Direction, TcpFlow>;
}

/**
 * A TCP proxy on 127.0.0.1 for faults of the network: what toxiproxy does, in the test's own process.
 * Modes hold for the connections that stand and for those to come, until {@link pass}.
 */
export class TcpProxy {
  private server: Server | null = null;
  private readonly connections = new Set<Connection>();
  private hole: BlackholeWay | null = null;
  private delayMs = 0;
  private delayed: BlackholeWay = 'both';
  private hook: ByteHook = (_direction, data) => data;
  private opened = 0;
  private boundPort = 0;

  /** `host:port` of the server behind. */
  target: string;

  private constructor(options: TcpProxyOptions) {
    this.target = options.target ?? '';
  }

  static async start(options: TcpProxyOptions = {}): Promise<TcpProxy> {
    const proxy = new TcpProxy(options);
    await proxy.listen(options.port ?? 0);
    return proxy;
  }

  get port(): number {
    return this.boundPort;
  }

  /** `127.0.0.1:port`. */
  get address(): string {
    return `127.0.0.1:${this.boundPort}`;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://${this.address}`;
  }

  /** Connections accepted so far. */
  get connectionsOpened(): number {
    return this.opened;
  }

  /** Connections that stand. */
  get connectionsOpen(): number {
    return this.connections.size;
  }

  /** Ends every fault; what a blackhole held back is delivered. */
  async pass(): Promise<void> {
    this.hole = null;
    this.delayMs = 0;
    for (const connection of this.connections) this.applyModes(connection);
    if (!this.server) await this.listen(this.boundPort);
  }

  /** Connections stay open and connect, and nothing arrives. */
  blackhole(way: BlackholeWay = 'both'): void {
    this.hole = way;
    for (const connection of this.connections) this.applyModes(connection);
  }

  /** New connections are refused; those that stand are reset, unless they are to be kept. */
  async refuse(options: { keepExisting?: boolean } = {}): Promise<void> {
    const { server } = this;
    this.server = null;
    if (!options.keepExisting) this.reset();
    // Its callback waits for every connection; the port itself is closed at once.
    server?.close();
  }

  /** Ends the connections that stand with a TCP reset; new ones pass. */
  reset(): void {
    for (const connection of [...this.connections]) connection.reset();
  }

  /** Ends the connections that stand in an orderly way (FIN); new ones pass. */
  dropConnections(): void {
    for (const { client, server } of [...this.connections]) {
      client.destroySoon();
      server.destroySoon();
    }
  }

  /** Every piece of data that goes this way arrives this much later, in order. */
  delay(ms: number, way: BlackholeWay = 'both'): void {
    this.delayMs = ms;
    this.delayed = way;
    for (const connection of this.connections) this.applyModes(connection);
  }

  /** Shows each piece of data to the hook; null takes the hook away. */
  onData(hook: ByteHook | null): void {
    this.hook = hook ?? ((_direction, data) => data);
  }

  /** Bytes that the connections that stand have passed on. */
  bytes(direction: Direction): number {
    let sum = 0;
    for (const connection of this.connections) sum += connection.flows[direction].bytes;
    return sum;
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    const closed = server && new Promise<void>((resolve) => server.close(() => resolve()));
    this.reset();
    await closed;
  }

  private listen(port: number): Promise<void> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (client) =>
      this.accept(client),
    );
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        this.server = server;
        this.boundPort = (server.address() as { port: number }).port;
        resolve();
      });
    });
  }

  private accept(client: Socket): void {
    const [host, port] = splitAddress(this.target);
    const server = connect({ host, port, noDelay: true });
    const id = (this.opened += 1);
    const end = () => {
      if (!this.connections.delete(connection)) return;
      connection.flows['to-server'].close();
      connection.flows['to-client'].close();
      client.destroySoon();
      server.destroySoon();
    };
    const connection: Connection = {
      id,
      client,
      server,
      flows: {
        'to-server': new TcpFlow(client, server, (data) =>
          this.hook('to-server', data, connection),
        ),
        'to-client': new TcpFlow(server, client, (data) =>
          this.hook('to-client', data, connection),
        ),
      },
      reset: () => {
        client.resetAndDestroy();
        server.destroy();
        end();
      },
    };
    this.connections.add(connection);
    for (const socket of [client, server]) {
      socket.on('error', () => socket.destroy());
      socket.on('close', end);
    }
    // A server that refuses is seen by the client as a connection that ends at once.
    this.applyModes(connection);
  }

  private applyModes({ flows }: Connection): void {
    for (const direction of ['to-server', 'to-client'] as const) {
      const isDelayed = this.delayed === 'both' || this.delayed === direction;
      flows[direction].delay(isDelayed ? this.delayMs : 0);
      if (this.hole === 'both' || this.hole === direction) flows[direction].hold();
      else flows[direction].release();
    }
  }
}

function splitAddress(address: string): [host: string, port: number] {
  const match = /^(?:https?:\/\/)?(.+):(\d+)$/.exec(address);
  if (!match) throw new Error(`The proxy's target "${address}" is not host:port.`);
  return [match[1] as string, Number(match[2])];
}
