import type { ClientDuplexStream } from '@grpc/grpc-js';
import type { MonotonicClock } from './clock.js';
import type { Endpoint } from './endpoint.js';
import { blamesEndpoint, grpcFailure, type GrpcFailure } from './grpc-failure.js';

/** What the owner of a stream is told. */
export interface StreamHandlers<Response> {
  data(response: Response): void;
  /** The stream is over and will say nothing more; not called after `cancel()`. Called at most once. */
  end(failure: GrpcFailure): void;
}

/** A standing stream to one endpoint. */
export class DuplexStream<Request, Response> {
  private over = false;
  private readonly openedAt: number;
  private readonly generation: number;

  constructor(
    private readonly raw: ClientDuplexStream<Request, Response>,
    readonly endpoint: Endpoint,
    clock: MonotonicClock,
    private readonly handlers: StreamHandlers<Response>,
    private readonly released: (stream: DuplexStream<Request, Response>) => void,
  ) {
    this.openedAt = clock.now();
    this.generation = endpoint.generation;
    raw.on('data', (response: Response) => {
      if (this.over) return;
      endpoint.heard();
      handlers.data(response);
    });
    raw.on('error', (error: unknown) => this.finish(grpcFailure(error)));
    raw.on('end', () => this.finish(grpcFailure(new Error('the member ended the stream'))));
  }

  /** Whether calls to the endpoint go over the connection that this stream is on. */
  get onCurrentConnection(): boolean {
    return this.generation === this.endpoint.generation;
  }

  write(request: Request): void {
    if (!this.over) this.raw.write(request);
  }

  /** The endpoint is to blame for this stream's silence: it is left, and others are preferred for a while. */
  abandon(silentSince = this.openedAt): void {
    if (this.over) return;
    this.endpoint.failed(silentSince);
    this.cancel();
  }

  /** The endpoint is no longer in use: the owner is told, and opens another stream elsewhere. */
  leave(): void {
    this.finish(grpcFailure(new Error('the endpoint is no longer in use')));
  }

  /** Ends the stream from this side. */
  cancel(): void {
    if (this.over) return;
    this.over = true;
    this.released(this);
    this.raw.cancel();
  }

  private finish(failure: GrpcFailure): void {
    if (this.over) return;
    this.over = true;
    this.released(this);
    this.raw.cancel();
    if (blamesEndpoint(failure)) this.endpoint.failed(this.openedAt);
    this.handlers.end(failure);
  }
}
