import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { ChannelCredentials } from '@grpc/grpc-js';

/** Node tells it of every socket that is about to connect, before it does. */
const NEW_SOCKET = 'net.client.socket';

/**
 * Remembers the sockets that connect under `credentials` to `port`, and ends them.
 *
 * grpc-js leaves a socket open whose connection attempt or TLS handshake is never
 * answered, even when its channel is closed, and that alone keeps a process alive.
 */
export class TrackedSockets {
  private readonly open = new Set<Socket>();
  private closed = false;

  constructor(
    credentials: ChannelCredentials,
    private readonly port: number,
  ) {
    const create = credentials._createSecureConnector.bind(credentials);
    credentials._createSecureConnector = (...args) => {
      const connector = create(...args);
      const waitForReady = connector.waitForReady.bind(connector);
      connector.waitForReady = async () => {
        await waitForReady();
        this.expectSocket();
      };
      return connector;
    };
  }

  /** Destroys those that have not connected yet. */
  destroyConnecting(): void {
    for (const socket of this.open) if (socket.connecting) socket.destroy();
  }

  /** Destroys them all, and whatever connects later. */
  destroy(): void {
    this.closed = true;
    for (const socket of this.open) socket.destroy();
  }

  /**
   * grpc-js connects as soon as its connector is ready, in the microtasks that follow, and
   * shows the socket to nobody before it is connected.
   */
  private expectSocket(): void {
    const created = (message: unknown) => {
      const { socket } = message as { socket: Socket };
      // Somebody else may connect in the same microtasks, though hardly to the same port.
      socket.once('connectionAttempt', (_address: string, port: number) => {
        if (port === this.port) this.track(socket);
      });
    };
    subscribe(NEW_SOCKET, created);
    process.nextTick(() => unsubscribe(NEW_SOCKET, created));
  }

  private track(socket: Socket): void {
    this.open.add(socket);
    socket.once('close', () => this.open.delete(socket));
    // A subchannel whose last connection broke tries once more after its channel was closed.
    // Not at once, for the socket is in the midst of connecting and does not expect it.
    if (this.closed) process.nextTick(() => socket.destroy());
  }
}
