import { inspect } from 'node:util';
import { EtcdCoordinationError } from './coordination.error.js';

/** Where a member of etcd serves its clients. */
export interface EndpointAddress {
  /** `http://host:port` or `https://host:port`; the identity of the endpoint. */
  readonly url: string;
  /** `host:port`, as gRPC wants it. */
  readonly target: string;
  readonly port: number;
  readonly secure: boolean;
}

/** An endpoint that is not `host:port`, `http://host:port` or `https://host:port`. */
export class InvalidEndpointError extends EtcdCoordinationError {
  constructor(
    readonly endpoint: unknown,
    problem: string,
  ) {
    super(
      'INVALID_ENDPOINT',
      `The etcd endpoint ${shown(endpoint)} ${problem}; write it as "host:port", "http://host:port" or "https://host:port".`,
    );
  }
}

const SHAPE = /^(?:(https?):\/\/)?(\[[0-9a-fA-F:.]+\]|[^\s/:[\]@?#]+):(\d{1,5})\/?$/;

/**
 * Reads one endpoint.
 *
 * @throws InvalidEndpointError naming what is wrong with it
 */
export function parseEndpoint(endpoint: unknown): EndpointAddress {
  if (typeof endpoint !== 'string') throw new InvalidEndpointError(endpoint, 'is not a string');
  if (endpoint === '') throw new InvalidEndpointError(endpoint, 'is empty');
  const [, scheme = 'http', host, port] = SHAPE.exec(endpoint) ?? [];
  if (host === undefined || port === undefined) {
    throw new InvalidEndpointError(endpoint, 'is malformed');
  }
  if (Number(port) < 1 || Number(port) > 65_535) {
    throw new InvalidEndpointError(endpoint, `has the port ${port}, which is not from 1 to 65535`);
  }
  const target = `${host}:${Number(port)}`;
  const url = `${scheme}://${target}`;
  return { url, target, port: Number(port), secure: scheme === 'https' };
}

function shown(endpoint: unknown): string {
  try {
    return JSON.stringify(endpoint) ?? String(endpoint);
  } catch {
    // A bigint, or an object that holds itself.
    return inspect(endpoint, { depth: 0 });
  }
}
