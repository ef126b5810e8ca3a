import {
  type EndpointAddress,
  InvalidEndpointError,
  parseEndpoint,
} from '../client/endpoint-address.js';
import { InvalidOptionError, shown } from './invalid-option.error.js';

const EXAMPLE = `['127.0.0.1:2379']`;

/** Checks the list of endpoints: each well formed, none twice, all with TLS or none. */
export function readEndpoints(given: unknown): readonly string[] {
  if (given === undefined) {
    throw new InvalidOptionError(
      'endpoints',
      given,
      `is missing: name at least one member of the etcd cluster, such as ${EXAMPLE}.`,
    );
  }
  if (!Array.isArray(given)) {
    throw new InvalidOptionError(
      'endpoints',
      given,
      `is ${shown(given)}: give an array of strings, such as ${EXAMPLE}.`,
    );
  }
  if (given.length === 0) {
    throw new InvalidOptionError(
      'endpoints',
      given,
      `is empty: name at least one member of the etcd cluster, such as ${EXAMPLE}.`,
    );
  }
  const addresses = Array.from(given, readEndpoint);
  refuseDuplicates(addresses);
  refuseMixture(given, addresses);
  return [...(given as string[])];
}

function readEndpoint(endpoint: unknown, index: number): EndpointAddress {
  try {
    return parseEndpoint(endpoint);
  } catch (error) {
    if (!(error instanceof InvalidEndpointError)) throw error;
    throw new InvalidOptionError(`endpoints[${index}]`, endpoint, `is wrong. ${error.message}`, {
      cause: error,
    });
  }
}

function refuseDuplicates(addresses: readonly EndpointAddress[]): void {
  const seen = new Map<string, number>();
  for (const [index, { target }] of addresses.entries()) {
    const first = seen.get(target.toLowerCase());
    if (first !== undefined) {
      throw new InvalidOptionError(
        `endpoints[${index}]`,
        target,
        `names ${target}, which endpoints[${first}] names already: list each member once.`,
      );
    }
    seen.set(target.toLowerCase(), index);
  }
}

function refuseMixture(given: readonly unknown[], addresses: readonly EndpointAddress[]): void {
  const first = addresses[0]!;
  const other = addresses.findIndex(({ secure }) => secure !== first.secure);
  if (other === -1) return;
  throw new InvalidOptionError(
    `endpoints[${other}]`,
    given[other],
    `is ${shown(given[other])}, ${kind(!first.secure)}, while endpoints[0] is ${shown(given[0])}, ${kind(first.secure)}: a connection is with TLS or without. Write "https://" before each or before none.`,
  );
}

function kind(secure: boolean): string {
  return secure ? 'with TLS' : 'without TLS';
}
