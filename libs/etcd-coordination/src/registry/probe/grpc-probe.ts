import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { checkRequest, readCheckAnswer } from './grpc-health-codec.js';
import { attemptProbe, type ProbeAttempt } from './probe-attempt.js';
import type { Probe, ProbeAim } from './probe.js';

const PATH = '/grpc.health.v1.Health/Check';
/** An answer has seven bytes. */
const MOST_BYTES = 1024;
const CLOSED = 'the connection was closed without an answer';
const OK = '0';
const NOT_FOUND = '5';
const UNIMPLEMENTED = '12';

/**
 * Passes if grpc.health.v1 says that the service is SERVING.
 *
 * Spoken over HTTP/2 itself: a channel of grpc-js would connect again and again behind our back, and
 * keeps what it has opened for a while after it was closed.
 */
export const grpcProbe: Probe = (aim, signal) =>
  attemptProbe(signal, (attempt) => {
    const session = open(aim);
    session.on('error', attempt.broke);
    session.once('close', () => attempt.failed(CLOSED));
    ask(session, aim, attempt);
    return () => session.destroy();
  });

function open({ host, port, secure }: ProbeAim): ClientHttp2Session {
  const authority = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  return connect(`${secure ? 'https' : 'http'}://${authority}`, {
    rejectUnauthorized: false,
    settings: { enablePush: false },
  });
}

function ask(session: ClientHttp2Session, { spec }: ProbeAim, attempt: ProbeAttempt): void {
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: PATH,
    [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
    [constants.HTTP2_HEADER_TE]: 'trailers',
  });
  stream.on('error', attempt.broke);
  readAnswer(stream, spec.target, attempt);
  stream.end(checkRequest(spec.target));
}

function readAnswer(stream: ClientHttp2Stream, service: string, attempt: ProbeAttempt): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let answered = false;
  let grpcStatus: string | undefined;
  stream.once('response', (headers) => {
    answered = true;
    const status = Number(headers[constants.HTTP2_HEADER_STATUS]);
    if (status !== 200) return attempt.failed(`answered HTTP ${status}, which no gRPC server does`);
    // An error without a message comes with the headers.
    grpcStatus = textOf(headers['grpc-status']);
  });
  stream.once('trailers', (headers) => (grpcStatus = textOf(headers['grpc-status'])));
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MOST_BYTES) return attempt.failed('its answer is too long for a health check');
    chunks.push(chunk);
  });
  stream.once('end', () => {
    if (!answered) return attempt.failed(CLOSED);
    if (grpcStatus !== OK) return attempt.failed(explainStatus(grpcStatus, service));
    const fault = readCheckAnswer(Buffer.concat(chunks));
    if (fault === null) attempt.passed();
    else attempt.failed(fault);
  });
}

function explainStatus(status: string | undefined, service: string): string {
  if (status === undefined) return 'its answer has no gRPC status';
  if (status === NOT_FOUND) {
    return `its health service does not know ${service === '' ? 'of itself' : `the service "${service}"`}`;
  }
  if (status === UNIMPLEMENTED) return 'it has no health service, grpc.health.v1';
  return `its health service failed with the gRPC status ${status}`;
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header;
}
