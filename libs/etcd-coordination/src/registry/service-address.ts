import { isIPv4, isIPv6 } from 'node:net';
import { PROTOCOLS, type ServiceProtocol } from './service-instance.js';

/** Where an instance serves, taken apart. */
export interface ServiceAddress {
  /** `protocol://host:port`, the host of IPv6 in brackets. */
  readonly address: string;
  readonly protocol: ServiceProtocol;
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

/** The text is no address; the message says why, in words that follow "it". */
export class AddressFault extends Error {}

const DEFAULT_PORTS: Partial<Record<ServiceProtocol, number>> = { http: 80, https: 443 };
const SCHEME = /^([A-Za-z][A-Za-z0-9+.-]*):\/\//;
const AUTHORITY = /^(\[[^[\]]*\]|[^:[\]]*)(?::(.*))?$/;
/** As registrations write it. */
const IN_FULL = /^(https?|grpcs?|tcp):\/\/([a-z0-9._-]+):([1-9]\d{0,4})$/;
const HOST_NAME = /^(?!-)[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?$/;

export function isProtocol(value: unknown): value is ServiceProtocol {
  return (PROTOCOLS as readonly unknown[]).includes(value);
}

/**
 * Reads `protocol://host:port`, or `host:port` of the `protocol` given.
 *
 * @throws {AddressFault} saying what is wrong
 */
export function parseServiceAddress(text: string, protocol?: ServiceProtocol): ServiceAddress {
  const [prefix, scheme] = SCHEME.exec(text) ?? [];
  const said = scheme?.toLowerCase();
  if (said !== undefined && !isProtocol(said)) {
    throw new AddressFault(`has the protocol "${said}", which is none of ${PROTOCOLS.join(', ')}`);
  }
  if (said !== undefined && protocol !== undefined && said !== protocol) {
    throw new AddressFault(
      `is of the protocol "${said}", and the option "protocol" says "${protocol}"`,
    );
  }
  // What a URL object says of itself ends in "/"; that is no path.
  const authority = prefix === undefined ? text : text.slice(prefix.length).replace(/\/$/, '');
  if (authority.includes('@')) throw new AddressFault('holds a user');
  if (/[/?#\\]/.test(authority)) throw new AddressFault('holds more than a host and a port');
  const spoken = said ?? protocol ?? 'http';
  const [, host, digits] = AUTHORITY.exec(authority) ?? [];
  if (!host) throw new AddressFault('is malformed');
  const bare = readHost(host);
  const port = readPort(digits, prefix === undefined ? undefined : DEFAULT_PORTS[spoken]);
  const shownHost = bare.includes(':') ? `[${bare}]` : bare;
  return { address: `${spoken}://${shownHost}:${port}`, protocol: spoken, host: bare, port };
}

/** The address of a record, or null if it is none. */
export function readServiceAddress(text: unknown): ServiceAddress | null {
  if (typeof text !== 'string') return null;
  try {
    return readInFull(text) ?? parseServiceAddress(text);
  } catch {
    return null;
  }
}

/** The shorter way, for lists of 10,000; null for what has to go the other. */
function readInFull(text: string): ServiceAddress | null {
  const [, protocol, host, digits] = IN_FULL.exec(text) ?? [];
  const port = Number(digits);
  if (!host || !isProtocol(protocol) || !(port <= 65_535)) return null;
  return { address: text, protocol, host: readHost(host), port };
}

function readHost(host: string): string {
  if (host.startsWith('[')) {
    const inner = host.slice(1, -1).toLowerCase();
    if (!isIPv6(inner) || inner.includes('%')) {
      throw new AddressFault(`names the host "${host}", which is no IPv6 address`);
    }
    if (/^[0:]+$/.test(inner)) throw unspecified(host);
    return inner;
  }
  if (!HOST_NAME.test(host) || host.length > 253) {
    throw new AddressFault(`names the host "${host}", which is no host name`);
  }
  if (/^[\d.]+$/.test(host) && !isIPv4(host)) {
    throw new AddressFault(`names the host "${host}", which is no IPv4 address`);
  }
  if (host === '0.0.0.0') throw unspecified(host);
  return host.toLowerCase();
}

function unspecified(host: string): AddressFault {
  return new AddressFault(
    `names "${host}", every interface of this machine, where nobody else can call it`,
  );
}

function readPort(digits: string | undefined, byDefault: number | undefined): number {
  if (digits === undefined && byDefault !== undefined) return byDefault;
  if (digits === undefined) throw new AddressFault('has no port');
  if (!/^\d{1,9}$/.test(digits))
    throw new AddressFault(`has the port "${digits}", which is no number`);
  const port = Number(digits);
  if (port < 1 || port > 65_535) {
    throw new AddressFault(`has the port ${port}, which is not from 1 to 65535`);
  }
  return port;
}
