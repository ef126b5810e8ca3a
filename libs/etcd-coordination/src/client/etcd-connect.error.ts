import { EtcdCoordinationError } from './coordination.error.js';
import type { GrpcFailure } from './grpc-failure.js';

/** Why an endpoint could not be used. */
export type ConnectFailureReason =
  | 'refused'
  | 'unknown-host'
  | 'unreachable'
  | 'tls'
  | 'not-http2'
  | 'wrong-password'
  | 'no-leader'
  | 'timed-out'
  | 'failed';

/** One endpoint and what came of asking it. */
export interface ConnectFailure {
  readonly endpoint: string;
  readonly reason: ConnectFailureReason;
  readonly detail: string;
}

const ADVICE: Record<ConnectFailureReason, string> = {
  refused: 'nothing listens there',
  'unknown-host': 'the host name has no address',
  unreachable: 'no route leads there',
  tls: 'TLS failed; check the scheme (http or https), the certificate and the option "credentials"',
  'not-http2':
    'something listens there, but it closed the connection; if it wants TLS, write https',
  'wrong-password': 'the user or the password was refused; check the option "auth"',
  'no-leader': 'the member answers, but its cluster has no leader',
  'timed-out':
    'no answer came in time; it is frozen, firewalled or speaks something else than etcd',
  failed: 'it failed',
};

/** Reasons that pass by themselves, and say nothing against the options. */
const OUTAGES: readonly ConnectFailureReason[] = [
  'refused',
  'unknown-host',
  'unreachable',
  'not-http2',
  'no-leader',
  'timed-out',
];

/** None of the endpoints could be used at start-up. */
export class EtcdConnectError extends EtcdCoordinationError {
  constructor(
    connection: string,
    /** Every endpoint, with its reason. */
    readonly failures: readonly ConnectFailure[],
    /** A sentence about what could have helped, to be added. */
    advice?: string,
  ) {
    const list = failures.map(
      (f) => `${f.endpoint}: ${f.reason}, ${ADVICE[f.reason]} [${f.detail}]`,
    );
    super(
      'ETCD_CONNECT_FAILED',
      `The etcd connection "${connection}" could not be made; ${failures.length === 1 ? 'its only endpoint cannot be used' : `none of its ${failures.length} endpoints can be used`}. ${list.join('; ')}.${advice === undefined ? '' : ` ${advice}`}`,
    );
  }

  /** Whether etcd is merely away: no endpoint failed for its certificate or for the password. */
  get isOutage(): boolean {
    return this.failures.every(({ reason }) => OUTAGES.includes(reason));
  }
}

/** Endpoints of different clusters stand in one list: each would have a leader of its own. */
export class TwoClustersError extends EtcdCoordinationError {
  constructor(
    connection: string,
    readonly endpoint: string,
    readonly other: string,
  ) {
    super(
      'ENDPOINTS_OF_TWO_CLUSTERS',
      `The endpoints ${endpoint} and ${other} of the etcd connection "${connection}" belong to different clusters; name members of one cluster only, and make another connection for the other.`,
    );
  }
}

const REASONS: readonly (readonly [RegExp, ConnectFailureReason])[] = [
  [/ECONNREFUSED/, 'refused'],
  [/ENOTFOUND|EAI_AGAIN|Name resolution failed/, 'unknown-host'],
  [/authentication failed|user name is empty/, 'wrong-password'],
  [/ENETUNREACH|EHOSTUNREACH|ETIMEDOUT/, 'unreachable'],
  [
    /certificate|self[- ]signed|altname|wrong version number|packet length too long|SSL|TLS|EPROTO|unable to verify/i,
    'tls',
  ],
  [/Failed to connect|Protocol error|Connection closed before|ECONNRESET/, 'not-http2'],
  [/no leader/, 'no-leader'],
  [/Deadline exceeded|DEADLINE_EXCEEDED/i, 'timed-out'],
];

/** Puts a name to why an endpoint failed at start-up. */
export function connectFailure(endpoint: string, { details }: GrpcFailure): ConnectFailure {
  const reason = REASONS.find(([pattern]) => pattern.test(details))?.[1] ?? 'failed';
  const detail = details
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? Resolution note: $/, '');
  return { endpoint, reason, detail };
}
