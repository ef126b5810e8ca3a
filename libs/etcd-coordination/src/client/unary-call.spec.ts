import { once } from 'node:events';
import { createServer, type Http2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Channel, credentials, Metadata, status, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';
import { systemClock } from './clock.js';
import { parseEndpoint } from './endpoint-address.js';
import { Endpoint } from './endpoint.js';
import { UnaryCall, type UnaryMethod } from './unary-call.js';

const ECHO: UnaryMethod<string, string> = {
  path: '/test.Echo/Say',
  requestSerialize: (text) => Buffer.from(text),
  responseDeserialize: (bytes) => bytes.toString(),
};

/** As gRPC frames a message. */
function framed(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(text.length, 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

function respond(stream: ServerHttp2Stream, trailers?: Record<string, string>): void {
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc' },
    { waitForTrailers: trailers !== undefined },
  );
  if (trailers) stream.on('wantTrailers', () => stream.sendTrailers(trailers));
}

describe('UnaryCall', () => {
  let server: Http2Server;
  let channel: Channel;
  /** What the server does with a call. */
  let answer: (stream: ServerHttp2Stream) => void;

  beforeEach(async () => {
    server = createServer();
    server.on('stream', (stream) => answer(stream));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    channel = new Channel(`127.0.0.1:${port}`, credentials.createInsecure(), {});
  });

  afterEach(() => {
    channel.close();
    server.close();
  });

  interface Made {
    readonly call: UnaryCall;
    readonly ended: Promise<string>;
    readonly done: Mock<() => void>;
  }

  function make(request: string, method = ECHO, deadline = Infinity): Made {
    const done = vi.fn<() => void>();
    let call!: UnaryCall;
    const ended = new Promise<string>((resolve, reject) => {
      call = UnaryCall.start(channel, method, request, new Metadata(), deadline, (error, text) => {
        done();
        if (error) reject(error);
        else resolve(text!);
      });
    });
    return { call, ended, done };
  }

  const failureOf = (ended: Promise<string>) =>
    ended.then(
      () => expect.fail('It was answered.'),
      (error: unknown) => error as ServiceError,
    );

  it('sends a request with its metadata and gives the answer', async () => {
    answer = (stream) => {
      respond(stream, { 'grpc-status': '0' });
      stream.on('data', (bytes: Buffer) =>
        stream.end(framed(`you said ${bytes.subarray(5).toString()}`)),
      );
    };
    await expect(make('hello').ended).resolves.toBe('you said hello');
  });

  it('does not wait for the trailers that come after an answer, and is told once all the same', async () => {
    let stream!: ServerHttp2Stream;
    answer = (opened) => {
      stream = opened;
      respond(stream, { 'grpc-status': '14', 'grpc-message': 'too late' });
      stream.write(framed('answered'));
    };
    const { ended, done } = make('hello');
    await expect(ended).resolves.toBe('answered');
    expect(stream.writableEnded).toBe(false);
    const closed = once(stream, 'close');
    stream.end();
    await closed;
    // Whatever is told of one that comes later, it is told after that of this one.
    answer = (later) => {
      respond(later, { 'grpc-status': '0' });
      later.end(framed('later'));
    };
    await make('hello').ended;
    expect(done).toHaveBeenCalledTimes(1);
  });

  it('fails as grpc-js does: with code, details and metadata', async () => {
    answer = (stream) => {
      respond(stream, { 'grpc-status': '8', 'grpc-message': 'etcdserver: no', 'x-why': 'because' });
      stream.end();
    };
    const error = await failureOf(make('hello').ended);
    expect(error).toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
      details: 'etcdserver: no',
      message: '8 RESOURCE_EXHAUSTED: etcdserver: no',
    });
    expect(error).toBeInstanceOf(Error);
    expect(error.metadata.get('x-why')).toEqual(['because']);
  });

  it("refuses a request that cannot be written, which is nobody else's fault", async () => {
    const unwritable: UnaryMethod<string, string> = {
      ...ECHO,
      requestSerialize: () => {
        throw new Error('not a string');
      },
    };
    // Within a promise, as it is made.
    const made = Promise.resolve().then(() => make('hello', unwritable).ended);
    expect(await failureOf(made)).toMatchObject({
      code: status.INVALID_ARGUMENT,
      details: 'Request message serialization failure: not a string',
    });
  });

  it('fails for an answer that cannot be read, and for none', async () => {
    answer = (stream) => {
      respond(stream, { 'grpc-status': '0' });
      stream.write(framed('broken'));
    };
    const broken: UnaryMethod<string, string> = {
      ...ECHO,
      responseDeserialize: () => {
        throw new Error('index out of range');
      },
    };
    expect(await failureOf(make('hello', broken).ended)).toMatchObject({
      code: status.INTERNAL,
      details: 'Response message parsing error: index out of range',
    });
    answer = (stream) => {
      respond(stream, { 'grpc-status': '0' });
      stream.end();
    };
    expect(await failureOf(make('hello').ended)).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: 'No message received',
    });
  });

  it('ends by its deadline, or when it is cancelled', async () => {
    const opened: (() => void)[] = [];
    answer = () => opened.shift()?.();
    expect(await failureOf(make('hello', ECHO, Date.now() + 50).ended)).toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });
    const reached = new Promise<void>((resolve) => opened.push(resolve));
    const { call, ended } = make('hello');
    await reached;
    call.cancel();
    expect(await failureOf(ended)).toMatchObject({
      code: status.CANCELLED,
      details: 'Cancelled on client',
    });
    call.cancel();
  });

  it('goes with its endpoint, though its trailers never come', async () => {
    let stream!: ServerHttp2Stream;
    answer = (opened) => {
      stream = opened;
      stream.on('error', () => undefined);
      respond(stream, { 'grpc-status': '0' });
      stream.write(framed(''));
    };
    const { port } = server.address() as AddressInfo;
    const endpoint = new Endpoint(parseEndpoint(`http://127.0.0.1:${port}`), systemClock);
    const key = Buffer.from('x');
    await new Promise<void>((resolve) => {
      endpoint.call('KV', 'range', { key }, new Metadata(), Infinity, () => resolve());
    });
    expect(stream.closed).toBe(false);
    const closed = once(stream, 'close');
    endpoint.close();
    await closed;
  });

  it('refuses to begin on a closed channel', () => {
    channel.close();
    expect(() => make('hello').ended.catch(() => undefined)).not.toThrow();
    return expect(make('hello').ended).rejects.toThrow('Channel has been shut down');
  });
});
