import type {
  sendUnaryData,
  ServerDuplexStream,
  ServerUnaryCall,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import type { EtcdStatus } from '../etcd-status.js';
import { etcdServices, type ServiceName } from '../grpc/proto.js';
import { GrpcListener } from '../server/grpc-listener.js';
import { type CallKind, callKind } from './call-kind.js';
import { type CallFault, CallFaults, connectionLost, nobodyThere } from './fault.js';
import { GatedStream } from './gated-stream.js';
import { Valve } from './valve.js';

type Unary = (call: ServerUnaryCall<unknown, unknown>, done: sendUnaryData<unknown>) => void;
type Stream = (call: GatedStream) => void;

/** Which way something is cut off: what the client sends, what it is to hear, or both. */
export type CutDirection = 'requests' | 'answers' | 'both';

/**
 * A way of one client's own to the server, on a port of its own: what is done to it concerns nobody
 * else. Nothing of it touches the connection itself: requests and answers are what is held back,
 * refused or lost, so that it happens at the moment at which it is asked for, and never by chance.
 */
export class EmbeddedDoor {
  private readonly inbound = new Valve();
  private readonly outbound = new Valve();
  private readonly faults = new CallFaults();
  private readonly streams = new Set<GatedStream>();
  private readonly listener: GrpcListener;
  private away = false;
  private url = '';

  constructor(services: Readonly<Record<ServiceName, object>>) {
    const definitions = etcdServices();
    this.listener = new GrpcListener(
      (Object.keys(services) as ServiceName[]).map((name) => ({
        definition: definitions[name],
        implementation: this.gated(name, services[name]),
      })),
    );
  }

  /** Where the client reaches it, such as `http://127.0.0.1:2379`. */
  get endpoint(): string {
    return this.url;
  }

  /** How many faults that were asked for have befallen nobody yet. */
  get pendingFaults(): number {
    return this.faults.pending;
  }

  async listen(): Promise<void> {
    const { port } = await this.listener.listen(0, '127.0.0.1');
    this.url = `http://127.0.0.1:${port}`;
  }

  /**
   * Holds back what passes in that direction, and lets all else pass; null lets everything. What was held
   * back arrives late then, as over a network that was cut.
   */
  cut(direction: CutDirection | null = 'both'): void {
    const holds = (way: CutDirection) => direction === 'both' || direction === way;
    // Shut first: what is let through one way brings about what goes the other.
    if (holds('requests')) this.inbound.shut();
    if (holds('answers')) this.outbound.shut();
    if (!holds('requests')) this.inbound.release();
    if (!holds('answers')) this.outbound.release();
  }

  /** The server is away, or is back: streams end, and calls are refused at once. */
  setAway(away: boolean): void {
    this.away = away;
    if (away) this.endStreams(connectionLost());
  }

  /** Ends all streams with that status; a client that is cut off hears of it late. */
  endStreams(status: EtcdStatus): void {
    for (const stream of [...this.streams]) stream.emit('error', status);
  }

  /** The next request of that kind fails, before it was applied. */
  failNext(status: EtcdStatus, kind?: CallKind): void {
    this.faults.add({ applied: false, status, ...(kind && { kind }) });
  }

  /** The next request of that kind is applied, and its sender is told that the connection broke. */
  loseNextAnswer(kind?: CallKind): void {
    this.faults.add({ applied: true, status: connectionLost(), ...(kind && { kind }) });
  }

  close(): Promise<void> {
    return this.listener.close();
  }

  private gated(service: ServiceName, implementation: object): UntypedServiceImplementation {
    const definition = etcdServices()[service];
    const methods = Object.entries(implementation).map(([method, handler]) => [
      method,
      definition[method]?.requestStream
        ? this.stream(service, method, handler as Stream)
        : this.unary(service, method, handler as Unary),
    ]);
    return Object.fromEntries(methods) as UntypedServiceImplementation;
  }

  private unary(service: ServiceName, method: string, handler: Unary): Unary {
    return (call, done) => {
      const answer: sendUnaryData<unknown> = (...args) => this.outbound.pass(() => done(...args));
      this.inbound.pass(() => {
        // Its time was over before it arrived: etcd does not begin with it.
        if (call.cancelled) return;
        if (this.away) return answer(nobodyThere());
        const fault = this.faults.take(callKind(service, method, call.request));
        if (fault?.applied === false) return answer(fault.status);
        handler(call, fault ? () => answer(fault.status) : answer);
      });
    };
  }

  private stream(service: ServiceName, method: string, handler: Stream) {
    return (raw: ServerDuplexStream<unknown, unknown>): void => {
      const stream: GatedStream = new GatedStream(raw, {
        inbound: this.inbound,
        outbound: this.outbound,
        faultFor: (request): CallFault | null =>
          this.away
            ? { applied: false, status: nobodyThere() }
            : this.faults.take(callKind(service, method, request)),
        over: () => this.streams.delete(stream),
      });
      this.streams.add(stream);
      handler(stream);
    };
  }
}
