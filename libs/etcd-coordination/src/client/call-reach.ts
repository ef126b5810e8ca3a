import { isIPv4 } from 'node:net';
import { status } from '@grpc/grpc-js';

/**
 * How far a call that failed has come, from the least:
 *
 * - `unreached`: it never came to whom it was for, so it may be made elsewhere whatever it does
 * - `unknown`: it may have been applied, and its answer be lost: to be repeated only if that does no harm
 * - `answered`: it is the answer of the application, or a fault of the caller's own
 */
export type CallReach = 'unreached' | 'unknown' | 'answered';

const FROM_LEAST: readonly CallReach[] = ['unreached', 'unknown', 'answered'];

/** Errors of a connection that was not made. */
const UNREACHED: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Errors of TLS and of certificates, which come before anything is sent. */
const UNTRUSTED =
  /^(?:CERT_|ERR_TLS_|ERR_SSL_|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|(?:EPROTO|HOSTNAME_MISMATCH|INVALID_CA)$)/;

/** Errors of TLS that may come in the middle of what is sent. */
const BROKEN_RECORD = /BAD_RECORD_MAC|DECRYPTION_FAILED/;

/** Errors of what answers something else than HTTP. */
const NO_HTTP = /^HPE_/;

/** What `fetch` gives as the cause where it refuses a port that browsers refuse. */
const REFUSED_PORT = 'bad port';

/** Errors of a route, which a connection may lose as well after the request was sent. */
const NO_ROUTE: ReadonlySet<unknown> = new Set([
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
]);

/** Errors of a connection that was there, and of answers that did not come. */
const UNKNOWN: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'ESOCKETTIMEDOUT',
  'ERR_STREAM_PREMATURE_CLOSE',
  'ERR_HTTP2_SESSION_ERROR',
  'ERR_HTTP2_STREAM_ERROR',
  'ERR_HTTP2_GOAWAY_SESSION',
  'UND_ERR_SOCKET',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/** What the system was asked for when no connection was there yet. */
const BEFORE_CONNECTION: ReadonlySet<unknown> = new Set(['connect', 'getaddrinfo']);

/** What grpc-js says of a call that no connection has carried. */
const NO_CONNECTION =
  /^(?:round_robin: )?No connection established|^No addresses resolved|^Name resolution failed|^Failed to connect/;

/** So many errors are looked into, one in the other. */
const MAX_DEPTH = 8;

/** What of an error tells how far a call has come. */
interface Telling {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly syscall?: unknown;
  readonly address?: unknown;
  readonly port?: unknown;
  readonly hostname?: unknown;
  readonly details?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Who was called: that somebody else refuses a connection says nothing of it. */
export interface CalledHost {
  readonly host: string;
  readonly port: number;
}

/** What else is known of some errors; null for those of which it is not. */
type KnownReach = (error: object) => CallReach | null;

/** How far a call has come that failed with this error, by what it or its causes say. */
export function reachOfFailure(
  error: unknown,
  called?: CalledHost,
  known: KnownReach = () => null,
): CallReach {
  try {
    return reachWithin(error, called, known, MAX_DEPTH) ?? 'answered';
  } catch {
    // Anything can be thrown, and some of it cannot even be looked at.
    return 'answered';
  }
}

function reachWithin(
  error: unknown,
  called: CalledHost | undefined,
  known: KnownReach,
  depth: number,
): CallReach | null {
  if (typeof error !== 'object' || error === null || depth === 0) return null;
  const reach = known(error);
  if (reach) return reach;
  const told = error as Telling;
  // One attempt for each address of a name: what came furthest counts.
  if (Array.isArray(told.errors) && told.errors.length > 0) {
    const reaches = told.errors.map(
      (one) => reachWithin(one, called, known, depth - 1) ?? 'answered',
    );
    return furthest(reaches);
  }
  return ownReach(told, called) ?? reachWithin(told.cause, called, known, depth - 1);
}

function furthest(reaches: readonly CallReach[]): CallReach {
  return FROM_LEAST.findLast((reach) => reaches.includes(reach)) ?? 'answered';
}

function ownReach(told: Telling, called: CalledHost | undefined): CallReach | null {
  const { code, syscall, name } = told;
  // `AbortSignal.timeout`, RxJS's `timeout` and p-timeout name theirs so.
  if (name === 'TimeoutError') return 'unknown';
  if (isRefusedPort(told)) return 'unreached';
  if (typeof code === 'number') return grpcReach(code, told.details);
  const isBefore = BEFORE_CONNECTION.has(syscall);
  if (NO_ROUTE.has(code) && syscall !== undefined && !isBefore) return 'unknown';
  if (UNREACHED.has(code) || NO_ROUTE.has(code) || (typeof code === 'string' && isBefore)) {
    return isAnothers(told, called) ? 'answered' : 'unreached';
  }
  return UNKNOWN.has(code) ? 'unknown' : reachByCode(code);
}

function reachByCode(code: unknown): CallReach | null {
  if (typeof code !== 'string') return null;
  if (NO_HTTP.test(code) || BROKEN_RECORD.test(code)) return 'unknown';
  return UNTRUSTED.test(code) ? 'unreached' : null;
}

/** `fetch` says nothing more of it than this. */
function isRefusedPort({ message, cause }: Telling): boolean {
  return message === 'fetch failed' && (cause as Telling | undefined)?.message === REFUSED_PORT;
}

/** Such as a database that was asked after whom the call was for had answered. */
function isAnothers({ address, port, hostname }: Telling, called: CalledHost | undefined): boolean {
  if (!called) return false;
  // In a cluster everybody may listen on the same port. Others than these are written in many ways.
  if (isIPv4(String(address)) && isIPv4(called.host) && address !== called.host) return true;
  if (typeof port === 'number') return port !== called.port;
  return typeof hostname === 'string' && hostname !== called.host;
}

function grpcReach(code: number, details: unknown): CallReach | null {
  // Other numbers, such as DOMException's, come without details.
  if (typeof details !== 'string') return null;
  if (code === status.DEADLINE_EXCEEDED) return 'unknown';
  if (code !== status.UNAVAILABLE) return 'answered';
  return NO_CONNECTION.test(details) ? 'unreached' : 'unknown';
}
