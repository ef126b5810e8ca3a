import {
  ClientTCP,
  type ReadPacket,
  type TcpClientOptions,
  type TcpSocket,
  type WritePacket,
} from '@nestjs/microservices';
import type { Socket } from 'node:net';
import { Observable } from 'rxjs';
import { InstanceConnectionError } from './microservices.errors.js';

type TcpSettings = Required<TcpClientOptions>['options'];

/** What a client of one instance is told. */
export interface InstanceClientSettings {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly tcp: Omit<TcpSettings, 'host' | 'port'>;
}

/**
 * Nest's own client, to one instance. It tells what was never sent from what lost its connection on the
 * way, and loses no message in silence on a connection that has just been closed.
 */
export class InstanceClient extends ClientTCP {
  private readonly address: string;
  private readonly connectTimeoutMs: number;

  constructor({ host, port, connectTimeoutMs, tcp }: InstanceClientSettings) {
    super({ ...tcp, host, port });
    this.address = `${host}:${port}`;
    this.connectTimeoutMs = connectTimeoutMs;
  }

  /** Rejects if there is no connection; then nothing was sent. */
  override async connect(): Promise<void> {
    if (this.isConnected) return;
    const connecting = super.connect() as Promise<unknown>;
    const socket = this.socket;
    const timer = setTimeout(() => {
      const late = new InstanceConnectionError(
        this.address,
        'ECONNREFUSED',
        `was not made within ${this.connectTimeoutMs} ms`,
      );
      socketOf(socket)?.destroy(late);
    }, this.connectTimeoutMs);
    try {
      await connecting;
    } catch (error) {
      if (error instanceof InstanceConnectionError) throw error;
      throw this.notMade('was not made', { cause: error });
    } finally {
      clearTimeout(timer);
    }
  }

  /** Does not wait for the other side to close as well: one that hangs never would, and hold up the end of the process. */
  override close(): void {
    const socket = socketOf(this.socket);
    super.close();
    // What was written goes out before.
    socket?.destroySoon();
    socket?.unref();
  }

  /** Sends a message when it is subscribed to, and gives its answers. */
  request(packet: ReadPacket): Observable<unknown> {
    return new Observable((subscriber) => this.publish(packet, this.createObserver(subscriber)));
  }

  /** Resolves when the system has taken the event. */
  async event(packet: ReadPacket): Promise<void> {
    const socket = this.openSocket();
    const message: unknown = this.serializer.serialize({
      ...packet,
      pattern: this.normalizePattern(packet.pattern as string),
    } as ReadPacket & { id: string });
    await new Promise<void>((resolve, reject) => {
      socket.sendMessage(message, (error?: unknown) => {
        if (error) reject(this.lost(error));
        else resolve();
      });
    });
  }

  /** Those that still wait have lost their connection, which may be after the instance had the message. */
  override handleClose(): void {
    const waiting = [...this.routingMap.values()];
    this.routingMap.clear();
    super.handleClose();
    for (const callback of waiting)
      (callback as (packet: WritePacket) => void)({ err: this.lost() });
  }

  /** Every error is given to those that it concerns; a log line for each would say it twice. */
  override handleError(): void {}

  protected override publish(
    packet: ReadPacket,
    callback: (packet: WritePacket) => unknown,
  ): () => void {
    try {
      this.openSocket();
    } catch (error) {
      callback({ err: error });
      return () => undefined;
    }
    return super.publish(packet, callback);
  }

  private get isConnected(): boolean {
    const socket = socketOf(this.socket);
    return socket !== null && socket.writable && !socket.connecting;
  }

  private openSocket(): TcpSocket {
    if (this.socket && this.isConnected) return this.socket;
    throw this.notMade('was closed before the message was sent');
  }

  private notMade(detail: string, options?: ErrorOptions): InstanceConnectionError {
    return new InstanceConnectionError(this.address, 'ECONNREFUSED', detail, options);
  }

  private lost(cause?: unknown): InstanceConnectionError {
    return new InstanceConnectionError(
      this.address,
      'ECONNRESET',
      'was lost before the answer came',
      cause === undefined ? undefined : { cause },
    );
  }
}

/** Nest's wrapper has it, and so has a socket of TLS, which is none of Nest's. */
function socketOf(socket: TcpSocket | null): Socket | null {
  return socket?.netSocket ?? null;
}
