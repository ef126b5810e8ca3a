import {
  Channel,
  connectivityState,
  credentials,
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type Metadata,
} from '@grpc/grpc-js';
import type { TlsCredentials } from './client-options.js';
import type { MonotonicClock } from './clock.js';
import type { EndpointAddress } from './endpoint-address.js';
import { TrackedSockets } from './tracked-sockets.js';
import { serviceClient, unaryMethod, type ServiceName } from './grpc-services.js';
import { UnaryCall, type UnaryDone, type UnaryMethod } from './unary-call.js';

const CHANNEL_OPTIONS: ChannelOptions = {
  // A dead connection under a standing stream is noticed by HTTP/2 pings. etcd refuses
  // pings more often than every 5 s.
  'grpc.keepalive_time_ms': 5000,
  'grpc.keepalive_timeout_ms': 2000,
  // After an outage a watch may have more than the default 4 MiB to tell.
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
  'grpc.initial_reconnect_backoff_ms': 100,
  // A closed channel waits for the end of this, and the process with it.
  'grpc.max_reconnect_backoff_ms': 500,
  // What may be repeated is decided here, not by gRPC.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  // A replaced channel must get a connection of its own, not the dead one from a pool.
  'grpc.use_local_subchannel_pool': 1,
};

const FIRST_COOL_DOWN_MS = 500;
const LONGEST_COOL_DOWN_MS = 5000;

/** One member of etcd as this process reaches it: a single connection for calls and streams. */
export class Endpoint {
  /** The member behind this address, once it has answered. */
  memberId: string | null = null;
  /** The cluster of that member. */
  clusterId: string | null = null;
  private readonly channelCredentials: ChannelCredentials;
  private readonly sockets: TrackedSockets;
  private channel: Channel;
  private services = new Map<ServiceName, Client>();
  /** Counts the connections; a stream of an older one may be dead although this endpoint answers. */
  generation = 0;
  private failures = 0;
  private suspectUntil = 0;
  private lastHeard = 0;

  constructor(
    readonly address: EndpointAddress,
    private readonly clock: MonotonicClock,
    tls?: TlsCredentials,
  ) {
    this.channelCredentials = address.secure
      ? credentials.createSsl(tls?.rootCertificate, tls?.privateKey, tls?.certChain)
      : credentials.createInsecure();
    this.sockets = new TrackedSockets(this.channelCredentials, address.port);
    this.channel = this.openChannel();
  }

  /**
   * Makes a call with one answer over this endpoint's connection.
   *
   * @param deadline by the machine's clock
   * @throws Error if the endpoint was closed
   */
  call<Response>(
    service: ServiceName,
    method: string,
    request: unknown,
    metadata: Metadata,
    deadline: number,
    done: UnaryDone<Response>,
  ): UnaryCall {
    const definition = unaryMethod(service, method) as UnaryMethod<unknown, Response>;
    return UnaryCall.start(this.channel, definition, request, metadata, deadline, done);
  }

  /** The gRPC client of a service, over this endpoint's connection. */
  service(name: ServiceName): Client {
    let client = this.services.get(name);
    if (!client) {
      client = serviceClient(name, this.address.target, this.channel);
      this.services.set(name, client);
    }
    return client;
  }

  /** Whether a call would go out at once. If not, a connection is being made from now on. */
  isConnected(): boolean {
    return this.channel.getConnectivityState(true) === connectivityState.READY;
  }

  /** Milliseconds for which other endpoints are to be preferred; 0 for a healthy one. */
  suspectFor(now = this.clock.now()): number {
    return Math.max(0, this.suspectUntil - now);
  }

  /** Something came back from this endpoint. */
  heard(): void {
    this.lastHeard = this.clock.now();
    this.failures = 0;
    this.suspectUntil = 0;
  }

  /**
   * A call or stream that began at `since` failed by this endpoint's fault. Others are
   * preferred for a while, and if nothing at all came back since then, the next call
   * gets a new connection.
   */
  failed(since: number): void {
    const now = this.clock.now();
    this.failures += 1;
    const coolDown = Math.min(LONGEST_COOL_DOWN_MS, FIRST_COOL_DOWN_MS * 2 ** (this.failures - 1));
    this.suspectUntil = now + coolDown * (0.5 + Math.random() / 2);
    if (this.lastHeard < since) this.reconnect();
  }

  /** Ends the connection with everything on it. */
  close(): void {
    this.closeChannel();
    this.sockets.destroy();
  }

  /** Calls and streams under way keep the old connection until they end. */
  private reconnect(): void {
    this.closeChannel();
    this.sockets.destroyConnecting();
    this.generation += 1;
    this.channel = this.openChannel();
  }

  private closeChannel(): void {
    this.channel.close();
    this.services.clear();
  }

  private openChannel(): Channel {
    return new Channel(this.address.target, this.channelCredentials, CHANNEL_OPTIONS);
  }
}
