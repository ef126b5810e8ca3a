import { constants, type ClientHttp2Stream, type ServerHttp2Stream } from 'node:http2';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import {
  decodeResponse,
  UNAVAILABLE,
  type ArmedFault,
  type FaultKind,
  type FaultManner,
  type ProxiedCall,
} from './grpc-fault.js';
import { decodeMessage, MessageReader } from './grpc-messages.js';

export interface CallParts {
  readonly path: string;
  readonly connection: number;
  readonly client: ServerHttp2Stream;
  readonly server: ClientHttp2Stream;
  readonly faults: readonly ArmedFault[];
  /** Ends the client's whole connection: a reset may swallow what is still on its way. */
  readonly cutConnection: (end: 'orderly' | 'reset') => void;
}

/** One call on its way through the proxy; it passes until a fault takes hold of it. */
export class GrpcProxyCall implements ProxiedCall {
  readonly method: string;
  readonly connection: number;
  readonly startedAt = performance.now();
  sent = 0;
  received = 0;
  ended = false;

  private firstRequest: Buffer | null = null;
  /** Headers of the answer, kept back until its first message or its end. */
  private headers: IncomingHttpHeaders | null = null;
  private trailers: IncomingHttpHeaders | null = null;
  private readonly withheld: Buffer[] = [];
  private waiting: (() => void) | null = null;
  /** Nothing reaches the client any more. */
  private silent = false;

  constructor(private readonly parts: CallParts) {
    this.method = methodName(parts.path);
    this.connection = parts.connection;
    this.forwardRequest();
    this.forwardAnswer();
  }

  request<T = Record<string, unknown>>(): T {
    if (!this.firstRequest) throw new Error(`${this.method} has not sent its request yet.`);
    return decodeMessage<T>(this.parts.path, 'request', this.firstRequest);
  }

  private forwardRequest(): void {
    const { client, server } = this.parts;
    const reader = new MessageReader();
    client.on('data', (data: Buffer) => {
      for (const frame of reader.push(data)) {
        this.sent += 1;
        this.firstRequest ??= frame;
      }
      if (!server.destroyed && !server.write(data)) client.pause();
    });
    server.on('drain', () => client.resume());
    client.on('end', () => server.end());
    client.on('error', () => undefined);
    client.on('close', () => {
      this.ended = true;
      if (!server.destroyed) server.close(client.rstCode || constants.NGHTTP2_CANCEL);
    });
  }

  private forwardAnswer(): void {
    const { server, client } = this.parts;
    const reader = new MessageReader();
    server.on('response', (headers, flags) => {
      this.headers = headers;
      // An answer that is nothing but a status.
      if (flags & constants.NGHTTP2_FLAG_END_STREAM) this.trailers = headers;
    });
    server.on('data', (data: Buffer) => {
      for (const frame of reader.push(data)) this.takeFrame(frame);
    });
    server.on('trailers', (trailers) => (this.trailers = trailers));
    server.on('error', () => undefined);
    server.on('close', () => {
      if (this.silent || client.destroyed) return;
      if (this.trailers) this.finish();
      else client.close(server.rstCode || constants.NGHTTP2_INTERNAL_ERROR);
    });
  }

  private takeFrame(frame: Buffer): void {
    if (this.silent) return;
    if (this.answerFault()) {
      // Decided at the end, when the status says whether the server has applied the call.
      this.withheld.push(frame);
      return;
    }
    const decided = (kind: FaultKind) =>
      this.parts.faults.find(
        (fault) =>
          fault.kind === kind &&
          fault.matches(this.method) &&
          this.asks(fault, frame, this.received + 1),
      );
    const dropped = decided('drop-message');
    if (dropped) return dropped.hit(this);
    const cut = decided('cut-stream');
    if (!cut) return this.pass(frame);

    this.silent = true;
    cut.hit(this);
    // Only once the last message is on its way: a reset would overtake it.
    this.pass(frame, () => this.breakOff(cut.manner, 'orderly'));
  }

  private pass(frame: Buffer, written?: () => void): void {
    const { client, server } = this.parts;
    this.sendHeaders();
    this.received += 1;
    if (client.destroyed || client.write(frame, written)) return;
    server.pause();
    client.once('drain', () => server.resume());
  }

  /** The server has ended the call: its status is known. */
  private finish(): void {
    const fault = this.answerFault();
    if (!fault || this.waiting) return this.complete();
    const applied = this.trailers?.['grpc-status'] === '0';
    const wanted =
      applied && this.withheld.every((frame, index) => this.asks(fault, frame, index + 1));
    if (!wanted) return this.complete();

    fault.hit(this);
    if (fault.kind === 'lose-answer') return this.breakOff(fault.manner, 'reset', fault.status);
    this.waiting = () => this.complete();
    fault.onRelease(this.waiting);
  }

  private complete(): void {
    const { client } = this.parts;
    if (client.destroyed) return;
    for (const frame of this.withheld.splice(0)) this.pass(frame);
    if (!client.headersSent) {
      client.respond(forwardable(this.trailers ?? {}), { endStream: true });
      return;
    }
    client.end();
  }

  private answerFault(): ArmedFault | undefined {
    return this.parts.faults.find(
      (fault) =>
        (fault.kind === 'lose-answer' || fault.kind === 'hold-answer') &&
        fault.matches(this.method),
    );
  }

  private asks(fault: ArmedFault, frame: Buffer, index: number): boolean {
    if (!fault.when) return true;
    return fault.when(decodeResponse(this.parts.path, frame), index, this);
  }

  private breakOff(
    manner: FaultManner,
    end: 'orderly' | 'reset' = 'reset',
    { code, message } = UNAVAILABLE,
  ): void {
    const { client, server, cutConnection } = this.parts;
    this.silent = true;
    if (manner === 'silence') return;
    if (manner === 'cut') return cutConnection(end);
    if (manner === 'reset') client.close(constants.NGHTTP2_INTERNAL_ERROR);
    else if (client.headersSent) this.endWith(14, 'the test cut this stream');
    else refuse(client, code, message);
    if (!server.destroyed) server.close(constants.NGHTTP2_CANCEL);
  }

  private endWith(code: number, message: string): void {
    this.trailers = { 'grpc-status': `${code}`, 'grpc-message': message };
    this.parts.client.end();
  }

  private sendHeaders(): void {
    const { client } = this.parts;
    if (client.headersSent || client.destroyed) return;
    client.on('wantTrailers', () => client.sendTrailers(forwardable(this.trailers ?? {})));
    client.respond(forwardable(this.headers ?? {}), { waitForTrailers: true });
  }
}

/** Answers a call with a status alone. */
export function refuse(client: ServerHttp2Stream, code: number, message: string): void {
  client.respond(
    {
      ':status': 200,
      'content-type': 'application/grpc',
      'grpc-status': `${code}`,
      // As gRPC has it: what stands for itself in a header is left.
      'grpc-message': encodeURI(message),
    },
    { endStream: true },
  );
}

/** `/etcdserverpb.KV/Put` as `KV/Put`. */
export function methodName(path: string): string {
  return path.replace(/^\/(?:\w+\.)*/, '');
}

/** Headers of one connection that another may carry. */
export function forwardable(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  const { connection: _c, 'keep-alive': _k, ...rest } = headers;
  return rest;
}
