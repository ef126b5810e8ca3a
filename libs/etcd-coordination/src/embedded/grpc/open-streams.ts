import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { EtcdStatus } from '../etcd-status.js';

/** What is used of a call; what it asks is read elsewhere. */
type Call<Response> = Pick<ServerDuplexStream<unknown, Response>, 'write' | 'end' | 'emit' | 'on'>;

/** One open stream to a client. */
export class OpenStream<Response> {
  private readonly closers: (() => void)[] = [];
  private readonly drainers: (() => void)[] = [];
  private open = true;
  private full = false;

  constructor(private readonly call: Call<Response>) {
    // Whichever of these comes first; without a listener an 'error' would be thrown.
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => this.closed());
    call.on('drain', () => {
      this.full = false;
      for (const listener of this.drainers) listener();
    });
  }

  /** Whether the client takes what is sent as fast as it comes. */
  get isWritable(): boolean {
    return this.open && !this.full;
  }

  onClose(listener: () => void): void {
    this.closers.push(listener);
  }

  /** Calls `listener` when a stream that was not writable is so again. */
  onDrain(listener: () => void): void {
    this.drainers.push(listener);
  }

  send(response: Response): void {
    if (!this.open) return;
    this.full = !this.call.write(response);
  }

  /** Ends the stream well. */
  end(): void {
    if (!this.open) return;
    this.call.end();
    this.closed();
  }

  /** Ends the stream with an error. */
  fail({ code, details }: EtcdStatus): void {
    if (!this.open) return;
    this.call.emit('error', { code, details });
    this.closed();
  }

  private closed(): void {
    if (!this.open) return;
    this.open = false;
    for (const listener of this.closers) listener();
  }
}

/** Every stream that a client holds open, so that they can be ended together. */
export class OpenStreams {
  private readonly streams = new Set<{ fail(status: EtcdStatus): void }>();

  open<Request, Response>(call: ServerDuplexStream<Request, Response>): OpenStream<Response> {
    const stream = new OpenStream<Response>(call);
    this.streams.add(stream);
    stream.onClose(() => this.streams.delete(stream));
    return stream;
  }

  failAll(status: EtcdStatus): void {
    for (const stream of this.streams) stream.fail(status);
  }
}
