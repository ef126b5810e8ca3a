import { InvalidDiscoveryOptionError } from '../discovery/discovery.errors.js';
import type { ResolvedDiscoveryOptions } from '../discovery/discovery-options.js';
import { readDiscoveryOptions } from '../discovery/validate-discovery-options.js';
import type { ServiceRegistration } from '../registry/registration-options.js';
import { InvalidRegistrationError } from '../registry/registry.errors.js';
import type { ServiceProtocol } from '../registry/service-instance.js';
import { readRegistration } from '../registry/validate-registration.js';
import type { RegistryOptions, ServiceOptions } from './coordination-options.js';
import { InvalidOptionError } from './invalid-option.error.js';
import type { OptionReader } from './option-reader.js';

const KNOWN = [
  ...['name', 'address', 'protocol', 'zone', 'weight', 'version', 'metadata'],
  ...['health', 'register'],
];

/** Reads what a process says of itself; what it registers of that is read by {@link readOwnRegistration}. */
export function readService(options: OptionReader): ServiceOptions | undefined {
  const service = options.group('service', KNOWN);
  if (!service) return undefined;
  const address = service.optionalText('address');
  const protocol = service.optionalText('protocol') as ServiceProtocol | undefined;
  const zone = service.optionalText('zone');
  const version = service.optionalText('version');
  const weight = service.optionalPositiveNumber('weight');
  const metadata = service.optionalTextRecord('metadata');
  const health = service.optional('health') as ServiceOptions['health'];
  const register = service.optionalFlag('register');
  if (address === undefined) refuseUnaddressed(service, { register, health });
  return {
    name: service.text('name'),
    register: register ?? true,
    ...(address !== undefined && { address }),
    ...(protocol !== undefined && { protocol }),
    ...(zone !== undefined && { zone }),
    ...(weight !== undefined && { weight }),
    ...(version !== undefined && { version }),
    ...(metadata !== undefined && { metadata }),
    ...(health !== undefined && { health }),
  };
}

/** What is asked for is not left undone in silence. */
function refuseUnaddressed(
  service: OptionReader,
  { register, health }: Pick<ServiceOptions, 'register' | 'health'>,
): void {
  const cure = 'only what has an "address" is registered; give it one, or leave this out.';
  if (register) throw service.wrong('register', register, cure);
  if (health !== undefined) throw service.wrong('health', health, cure);
}

/**
 * What the process is to be registered as; null without an address.
 *
 * @throws {InvalidOptionError} naming the option of `service` that no registration can have
 */
export function readOwnRegistration(
  service: ServiceOptions | undefined,
  instanceId: string,
): ServiceRegistration | null {
  if (!service?.register || service.address === undefined) return null;
  const { register: _, address, ...rest } = service;
  const registration = { ...rest, id: instanceId, address };
  return renamed(InvalidRegistrationError, 'service', () => {
    readRegistration(registration, instanceId);
    return registration;
  });
}

/** @throws {InvalidOptionError} naming the option of `registry` that cannot be */
export function readRegistry(options: OptionReader): RegistryOptions {
  const registry = options.group('registry', ['prober']);
  const prober = registry?.optionalFlag('prober');
  return prober === undefined ? {} : { prober };
}

/** @throws {InvalidOptionError} naming the option of `discovery` that cannot be */
export function readDiscovery(given: unknown): ResolvedDiscoveryOptions {
  return renamed(InvalidDiscoveryOptionError, null, () => readDiscoveryOptions(given));
}

/** A wrong option is one of the module's, whoever reads it. */
function renamed<T>(
  kind: new (...parts: never[]) => Error & { readonly option: string },
  group: string | null,
  read: () => T,
): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    const option = group === null ? error.option : `${group}.${error.option}`;
    throw new InvalidOptionError(option, undefined, `cannot be: ${error.message}`, {
      cause: error,
    });
  }
}
