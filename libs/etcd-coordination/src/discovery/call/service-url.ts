import { nameFault } from '../../client/name-fault.js';
import { InvalidServiceUrlError } from './call.errors.js';

/** Addresses of services begin with it. */
export const SERVICE_SCHEME = 'service:';

/** A service, and what is wanted of it. */
export interface ServiceUrl {
  readonly service: string;
  /** Path and query; begins with a slash. */
  readonly target: string;
}

/**
 * Reads `service://inventory/items?limit=10`. A name with characters that an address cannot have is
 * percent-encoded there.
 *
 * @throws {InvalidServiceUrlError} if it is none
 */
export function readServiceUrl(given: string | URL): ServiceUrl {
  const text = String(given);
  if (!URL.canParse(text)) throw new InvalidServiceUrlError(withoutUser(text), 'it is no URL');
  const url = new URL(text);
  const hasUser = url.username !== '' || url.password !== '';
  // The password stays out of logs.
  url.username = url.password = '';
  if (url.protocol !== SERVICE_SCHEME) {
    throw new InvalidServiceUrlError(
      hasUser ? url.href : text,
      `it begins with "${url.protocol}", not with "service:"`,
    );
  }
  if (hasUser) {
    throw new InvalidServiceUrlError(url.href, 'a name and a password have no place in it');
  }
  if (url.port !== '') {
    throw new InvalidServiceUrlError(text, 'the port is that of the instance; leave it out');
  }
  const service = decoded(url.hostname);
  const fault = service === null ? 'is not encoded as an address is' : nameFault(service);
  if (service === null || fault !== null) {
    throw new InvalidServiceUrlError(text, `the service's name ${fault}`);
  }
  return { service, target: `${url.pathname || '/'}${url.search}` };
}

/** Of what cannot be read as an address, leaves out all that may be a password. */
function withoutUser(text: string): string {
  return text.replace(/[^/\\]*@/g, '');
}

function decoded(host: string): string | null {
  try {
    return decodeURIComponent(host);
  } catch {
    return null;
  }
}
