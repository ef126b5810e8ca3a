import {
  connect,
  createServer,
  type ClientHttp2Session,
  type Http2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type IncomingHttpHeaders,
} from 'node:http2';
import {
  ArmedFault,
  type Fault,
  type FaultManner,
  type ProxiedCall,
  type ResponsePredicate,
} from './grpc-fault.js';
import { forwardable, GrpcProxyCall, methodName, refuse } from './grpc-proxy-call.js';

export type { Fault, FaultManner, ProxiedCall, ResponsePredicate } from './grpc-fault.js';

export interface FaultOptions {
  /** How the client is to see it. Default `unavailable`. */
  readonly how?: FaultManner;
  /** How many calls it hits. Default 1. */
  readonly times?: number;
  /** Only calls whose answer it says yes to. */
  readonly when?: ResponsePredicate;
}

export interface LostAnswerOptions extends FaultOptions {
  /** What the client is told instead, where it is told anything. Default UNAVAILABLE. */
  readonly instead?: { readonly code: number; readonly message: string };
}

export interface CutOptions extends FaultOptions {
  /**
   * The last message that still arrives: `created`, the first answer of a watch; `first-batch`, its first
   * answer with events; or the n-th message of the stream. Default 1.
   */
  readonly after?: 'created' | 'first-batch' | number;
}

interface Connection {
  readonly id: number;
  readonly session: ServerHttp2Session;
  readonly upstream: ClientHttp2Session;
}

/**
 * A proxy between a client and etcd that knows gRPC calls: it loses the answer of a call that the server has
 * applied, cuts a stream after a chosen message, and counts. Method names are short: `KV/Put`, `KV/Txn`,
 * `Watch/Watch`, `Lease/LeaseGrant`, `Lease/LeaseKeepAlive`; `*` is any. No TLS.
 */
export class GrpcProxy {
  private readonly server: Http2Server = createServer();
  private readonly connections = new Set<Connection>();
  private readonly faults: ArmedFault[] = [];
  private calls: ProxiedCall[] = [];
  private opened = 0;
  private port = 0;

  /** `http://host:port` of the server behind; read when a client connects. */
  target: string;

  private constructor(target: string) {
    this.target = target;
    this.server.on('session', (session) => this.acceptSession(session));
    this.server.on('error', () => undefined);
  }

  static async start(options: { target?: string; port?: number } = {}): Promise<GrpcProxy> {
    const proxy = new GrpcProxy(options.target ?? '');
    await new Promise<void>((resolve, reject) => {
      proxy.server.once('error', reject);
      proxy.server.listen(options.port ?? 0, '127.0.0.1', resolve);
    });
    proxy.port = (proxy.server.address() as { port: number }).port;
    return proxy;
  }

  /** `http://127.0.0.1:port`. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Connections accepted so far. */
  get connectionsOpened(): number {
    return this.opened;
  }

  /** Connections that stand. */
  get connectionsOpen(): number {
    return this.connections.size;
  }

  /** The server applies the call, and its answer never arrives. */
  loseAnswer(method: string, options: LostAnswerOptions = {}): Fault {
    const { how = 'unavailable', times = 1, when = null, instead } = options;
    return this.arm(new ArmedFault('lose-answer', method, times, how, when, instead));
  }

  /** The server applies the call; its answer waits until the fault is removed. */
  holdAnswer(method: string, options: Omit<FaultOptions, 'how'> = {}): Fault {
    const { times = 1, when = null } = options;
    return this.arm(new ArmedFault('hold-answer', method, times, 'silence', when));
  }

  /** The call never reaches the server. */
  fail(method: string, options: { code?: number; message?: string; times?: number } = {}): Fault {
    const { code = 14, message = 'the test refused this call', times = 1 } = options;
    return this.arm(new ArmedFault('fail', method, times, 'unavailable', null, { code, message }));
  }

  /** Ends a stream right after one of its messages. */
  cutStream(method: string, options: CutOptions = {}): Fault {
    const { how = 'reset', times = 1, after = 1, when } = options;
    const predicate: ResponsePredicate = (response, index, call) =>
      isLast(after, response, index) && (when?.(response, index, call) ?? true);
    return this.arm(new ArmedFault('cut-stream', method, times, how, predicate));
  }

  /** {@link cutStream} for watches. */
  cutWatch(options: CutOptions = {}): Fault {
    return this.cutStream('Watch/Watch', options);
  }

  /** One message of a stream never arrives, and the stream goes on: what no network does, and a bug may. */
  dropMessage(method: string, options: Omit<FaultOptions, 'how'> = {}): Fault {
    const { times = 1, when = null } = options;
    return this.arm(new ArmedFault('drop-message', method, times, 'silence', when));
  }

  /** Ends every connection with a TCP reset. */
  dropConnections(): void {
    for (const connection of [...this.connections]) this.cut(connection);
  }

  /** Calls seen so far, of one method or of all; of one connection or of all. */
  count(method = '*', connection?: number): number {
    return this.seen(method).filter((call) => (connection ?? call.connection) === call.connection)
      .length;
  }

  /** The calls seen so far, oldest first. */
  seen(method = '*'): readonly ProxiedCall[] {
    return this.calls.filter((call) => method === '*' || call.method === method);
  }

  /** Messages that clients sent in the calls of a method, such as keepalives on one stream. */
  messagesSent(method: string): number {
    return this.seen(method).reduce((sum, call) => sum + call.sent, 0);
  }

  /** How many calls of each method came on each connection. */
  countByConnection(): Map<number, Map<string, number>> {
    const table = new Map<number, Map<string, number>>();
    for (const { connection, method } of this.calls) {
      const row = table.get(connection) ?? new Map<string, number>();
      table.set(connection, row.set(method, (row.get(method) ?? 0) + 1));
    }
    return table;
  }

  /** Forgets the calls that have ended. */
  resetCounts(): void {
    this.calls = this.calls.filter((call) => !call.ended);
  }

  /** Takes every fault away. */
  clearFaults(): void {
    for (const fault of this.faults.splice(0)) fault.remove();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.clearFaults();
    this.dropConnections();
    await closed;
  }

  private arm(fault: ArmedFault): Fault {
    this.faults.push(fault);
    return fault;
  }

  private acceptSession(session: ServerHttp2Session): void {
    // One connection behind for each in front, so that the server sees them as they are.
    const upstream = connect(this.target);
    const connection = { id: (this.opened += 1), session, upstream };
    this.connections.add(connection);
    session.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.acceptCall(connection, stream, headers),
    );
    for (const side of [session, upstream]) {
      side.on('error', () => undefined);
      side.on('close', () => this.cut(connection));
    }
  }

  private acceptCall(
    { id, session, upstream }: Connection,
    client: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): void {
    const path = headers[':path'] ?? '';
    if (upstream.destroyed || upstream.closed) {
      client.on('error', () => undefined);
      session.destroy();
      return;
    }
    const fault = this.faults.find(
      (candidate) => candidate.kind === 'fail' && candidate.matches(methodName(path)),
    );
    if (fault) {
      const call = refusedCall(path, id);
      this.calls.push(call);
      client.on('error', () => undefined);
      refuse(client, fault.status.code, fault.status.message);
      fault.hit(call);
      return;
    }
    this.calls.push(
      new GrpcProxyCall({
        path,
        connection: id,
        client,
        server: upstream.request(forwardable(headers), { endStream: false }),
        faults: this.faults,
        cutConnection: (end) => {
          if (end === 'reset') session.socket.resetAndDestroy();
          else session.destroy();
        },
      }),
    );
  }

  private cut(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    const { session, upstream } = connection;
    upstream.destroy();
    session.destroy();
  }
}

function isLast(
  after: NonNullable<CutOptions['after']>,
  response: Record<string, unknown>,
  index: number,
): boolean {
  if (after === 'created') return response['created'] === true;
  if (after === 'first-batch') return ((response['events'] as unknown[]) ?? []).length > 0;
  return index === after;
}

function refusedCall(path: string, connection: number): ProxiedCall {
  return {
    method: methodName(path),
    connection,
    startedAt: performance.now(),
    sent: 0,
    received: 0,
    ended: true,
    request: () => {
      throw new Error('The proxy refused this call before it read its request.');
    },
  };
}
