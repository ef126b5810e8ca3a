import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Server as GrpcServer, ServerCredentials, status } from '@grpc/grpc-js';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { TestAuthority, type Certificate } from '../../../../../test/support/certificates.js';
import { freePort } from '../../../../../test/support/free-port.js';
import { waitFor } from '../../../../../test/support/wait-for.js';
import type { ProbeSpec } from '../service-instance.js';
import { probeAim, PROBES, type ProbeAim } from './probe.js';

const LATE = 'no answer in time';
let ends: (() => unknown)[] = [];
let certificate: Certificate;

beforeAll(async () => {
  certificate = await (await TestAuthority.create()).issue();
});
afterEach(async () => {
  await Promise.all(ends.map((end) => end()));
  ends = [];
});

/** Listens, and counts the connections that are open. */
async function listening(server: Server): Promise<{ port: number; open: Set<Socket> }> {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, open };
}
const onConnection = (serve: (socket: Socket) => void) =>
  listening(createServer((socket) => (socket.resume(), serve(socket))));
const onRequest = (serve: RequestListener) => listening(createHttpServer(serve));
const SPECS = { http: '/health', tcp: '', grpc: 'stock' };

interface Settings {
  readonly timeoutMs?: number;
  readonly secure?: boolean;
  readonly target?: string;
  readonly host?: string;
}

function probe(kind: ProbeSpec['kind'], port: number, settings: Settings = {}) {
  const { timeoutMs = 10_000, secure = false, target = SPECS[kind], host = '127.0.0.1' } = settings;
  const numbers = { intervalMs: 1000, timeoutMs, failures: 1, passes: 1 };
  const aim: ProbeAim = { host, port, secure, spec: { kind, port: null, target, ...numbers } };
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(new Error(LATE)), timeoutMs);
  return PROBES[kind](aim, ending.signal).finally(() => clearTimeout(timer));
}
const allClosed = (open: ReadonlySet<Socket>) =>
  waitFor(() => open.size === 0, { what: 'every connection to be closed' });

describe.each(['http', 'grpc', 'tcp'] as const)('the %s probe', (kind) => {
  it('of a port where nobody listens says so', async () => {
    expect(await probe(kind, await freePort())).toBe('the connection was refused (ECONNREFUSED)');
  });

  it('of a host that nobody knows says so', async () => {
    const found = await probe(kind, 80, { host: 'no-such-host.invalid' });
    expect(found).toMatch(/^its host name (is not known|could not be looked up)/);
  });

  it('has an end before it began, if it is told too late', async () => {
    const { port, open } = await onConnection(() => undefined);
    const aim = probeAim(
      { host: '127.0.0.1', port, protocol: 'http' },
      {
        ...{ kind, port: null, target: '/', intervalMs: 1, timeoutMs: 1, failures: 1, passes: 1 },
      },
    );
    expect(await PROBES[kind](aim, AbortSignal.abort(new Error(LATE)))).toBe(LATE);
    expect(open.size).toBe(0);
  });
});

describe.each(['http', 'grpc'] as const)('the %s probe', (kind) => {
  const secured = [false, true];
  it.each(secured)(
    'of a port that accepts and never answers ends in time (TLS %s)',
    async (secure) => {
      const { port, open } = await onConnection(() => undefined);
      expect(await probe(kind, port, { secure, timeoutMs: 150 })).toBe(LATE);
      await allClosed(open);
    },
  );

  it.each(secured)('of a port that resets, or hangs up, says so (TLS %s)', async (secure) => {
    const reset = await onConnection((socket) => socket.resetAndDestroy());
    expect(await probe(kind, reset.port, { secure })).toMatch(/reset|closed|disconnected|hang up/);
    const closed = await onConnection((socket) => socket.end());
    expect(await probe(kind, closed.port, { secure })).toMatch(/reset|closed|disconnected|hang up/);
  });

  it.each(secured)('of a port that speaks garbage says so (TLS %s)', async (secure) => {
    const garbage = Buffer.alloc(64 * 1024, '\u0001 garbage \r\n');
    const { port, open } = await onConnection((socket) => socket.write(garbage));
    const found = await probe(kind, port, { secure });
    expect(found).not.toBeNull();
    expect(found).not.toBe(LATE);
    await allClosed(open);
  });

  it('of a port that never ends its garbage ends', async () => {
    const { port, open } = await onConnection((socket) => {
      const pour = () => void (socket.writable && socket.write('x'.repeat(65_536), pour));
      pour();
    });
    expect(await probe(kind, port, { timeoutMs: 2000 })).not.toBeNull();
    await allClosed(open);
  });
});

describe('the tcp probe', () => {
  it('passes where a connection can be made, and closes it', async () => {
    const { port, open } = await onConnection((socket) => socket.write('hello'));
    expect(await probe('tcp', port)).toBeNull();
    await allClosed(open);
  });
});

describe('the http probe', () => {
  it.each([200, 204, 299])('passes by %i, on a connection of its own', async (code) => {
    const seen: unknown[] = [];
    const { port, open } = await onRequest(({ method, url, headers }, response) => {
      seen.push([method, url, headers.connection]);
      response.writeHead(code).end();
    });
    expect(await probe('http', port)).toBeNull();
    expect(seen).toEqual([['GET', '/health', 'close']]);
    await allClosed(open);
  });

  it.each([400, 404, 500, 503])('fails by %i', async (code) => {
    const { port } = await onRequest((_, response) => response.writeHead(code).end('no'));
    expect(await probe('http', port)).toBe(`answered ${code}`);
  });

  it('follows no redirect', async () => {
    let requests = 0;
    const { port } = await onRequest((_, response) => {
      requests += 1;
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    expect(await probe('http', port)).toBe('answered 302, and redirects are not followed');
    expect(requests).toBe(1);
  });

  it('does not read a body that never ends', async () => {
    let sent = 0;
    const { port, open } = await onRequest((_, response) => {
      const pour = () => {
        sent += 65_536;
        if (response.writable) response.write('x'.repeat(65_536), pour);
      };
      pour();
    });
    expect(await probe('http', port)).toBeNull();
    await allClosed(open);
    expect(sent).toBeLessThan(32 * 1024 * 1024);
  });

  it('fails by headers that never end, and by an upgrade', async () => {
    const { port, open } = await onConnection((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      const pour = () => void (socket.writable && socket.write(`x: ${'y'.repeat(8192)}\r\n`, pour));
      pour();
    });
    expect(await probe('http', port)).toMatch(/[Hh]eader/);
    await allClosed(open);
    const other = await onConnection((socket) =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    );
    expect(await probe('http', other.port, { timeoutMs: 2000 })).not.toBeNull();
    await allClosed(other.open);
  });

  it('fails by a path that cannot be asked for', async () => {
    const { port } = await onRequest((_, response) => response.end());
    expect(await probe('http', port, { target: '/a b\r\nx: y' })).toMatch(/path/);
  });

  it('passes by TLS, whoever has signed for it, and fails if one of both speaks none', async () => {
    const { key, cert } = certificate;
    const secure = await listening(createHttpsServer({ key, cert }, (_, answer) => answer.end()));
    expect(await probe('http', secure.port, { secure: true })).toBeNull();
    expect(await probe('http', secure.port)).not.toBeNull();
    const plain = await onRequest((_, response) => response.end());
    expect(await probe('http', plain.port, { secure: true })).not.toBeNull();
    await Promise.all([allClosed(secure.open), allClosed(plain.open)]);
  });
});

describe('the grpc probe', () => {
  /** A server of grpc-js whose health service answers those bytes for the service "stock". */
  async function grpcServer(
    message: number[] | null,
    credentials = ServerCredentials.createInsecure(),
  ) {
    const server = new GrpcServer();
    const path = '/grpc.health.v1.Health/Check';
    const bytes = { requestSerialize: asIs, requestDeserialize: asIs };
    const answers = { responseSerialize: asIs, responseDeserialize: asIs };
    const check = { path, requestStream: false, responseStream: false, ...bytes, ...answers };
    server.addService({ check }, {
      check: (call: { request: Buffer }, done: (error: unknown, answer?: Buffer) => void) => {
        const isStock = call.request.equals(Buffer.from('\n\u0005stock'));
        if (message && isStock) return done(null, Buffer.from(message));
        done({ code: message ? status.NOT_FOUND : status.INTERNAL, details: 'no' });
      },
    } as never);
    ends.push(() => server.forceShutdown());
    return new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', credentials, (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  }
  const asIs = (bytes: Buffer) => bytes;

  it('passes by SERVING', async () => {
    expect(await probe('grpc', await grpcServer([8, 1]))).toBeNull();
  });

  it.each([
    [[8, 2], 'said NOT_SERVING'],
    [[8, 3], 'said SERVICE_UNKNOWN'],
    [[], 'said UNKNOWN'],
    [[8, 77], 'said the status 77'],
    [[1, 2, 3], 'its answer is none of grpc.health.v1'],
    [Array.from({ length: 3000 }, () => 1), 'its answer is too long for a health check'],
    [null, 'its health service failed with the gRPC status 13'],
  ])('fails by %j', async (message, why) => {
    expect(await probe('grpc', await grpcServer(message))).toBe(why);
  });

  it('fails where the service is not known, or there is no health service', async () => {
    const port = await grpcServer([8, 1]);
    expect(await probe('grpc', port, { target: 'x'.repeat(300) })).toMatch(
      /does not know the serv/,
    );
    const server = new GrpcServer();
    ends.push(() => server.forceShutdown());
    const bare = await new Promise<number>((resolve) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, at) => resolve(at));
    });
    expect(await probe('grpc', bare)).toBe('it has no health service, grpc.health.v1');
  });

  it('passes by TLS, whoever has signed for it, and fails if one of both speaks none', async () => {
    const { key, cert } = certificate;
    const pair = [{ private_key: key, cert_chain: cert }];
    const secure = await grpcServer([8, 1], ServerCredentials.createSsl(null, pair));
    expect(await probe('grpc', secure, { secure: true })).toBeNull();
    expect(await probe('grpc', secure, { timeoutMs: 2000 })).not.toBeNull();
    expect(await probe('grpc', await grpcServer([8, 1]), { secure: true })).not.toBeNull();
  });

  it('fails by HTTP/2 that is no gRPC, by HTTP/1, and by a stream that stays silent', async () => {
    const web = createHttp2Server((_, response) => response.writeHead(404).end('no'));
    const { port, open } = await listening(web);
    expect(await probe('grpc', port)).toBe('answered HTTP 404, which no gRPC server does');
    const old = await onRequest((_, response) => response.end('HTTP/1'));
    expect(await probe('grpc', old.port)).not.toBeNull();
    const silent = await listening(createHttp2Server(() => undefined));
    expect(await probe('grpc', silent.port, { timeoutMs: 300 })).toBe(LATE);
    await Promise.all([open, old.open, silent.open].map(allClosed));
  });
});
