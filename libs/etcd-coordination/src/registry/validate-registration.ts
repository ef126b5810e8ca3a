import { MAX_NAME_BYTES, nameFault } from '../client/name-fault.js';
import { LONE_SURROGATE } from '../client/keys.js';
import { isObject, type JsonObject } from './json-record.js';
import { MAX_TEXT_BYTES, optionalText, refuseUnknown, wrong } from './option-faults.js';
import { InvalidRegistrationError } from './registry.errors.js';
import type { ResolvedRegistration } from './registration-options.js';
import { AddressFault, isProtocol, parseServiceAddress } from './service-address.js';
import { PROTOCOLS, type ServiceProtocol } from './service-instance.js';
import { readHealth, readProbe } from './validate-health.js';

/** Keys and values of the metadata together, in bytes of UTF-8: all who follow the service keep them. */
export const MAX_METADATA_BYTES = 64 * 1024;
const OPTIONS = [
  ...['name', 'id', 'address', 'protocol', 'zone'],
  ...['weight', 'version', 'metadata', 'health'],
];

/**
 * Reads what `register` was given.
 *
 * @throws {InvalidRegistrationError} naming the option, what it is, and the cure
 */
export function readRegistration(given: unknown, instanceId: string): ResolvedRegistration {
  if (!isObject(given)) {
    throw wrong('options', given, `give an object, at least { name, address }`);
  }
  refuseUnknown('', given, OPTIONS);
  const service = assertServiceName(given['name']);
  const id = assertInstanceId(given['id'] ?? instanceId);
  const protocol = readProtocol(given['protocol']);
  const health = readHealth(given['health']);
  return {
    service,
    id,
    ...readAddress(given['address'], protocol),
    zone: optionalText('zone', given['zone']),
    weight: readWeight(given['weight']),
    version: optionalText('version', given['version']),
    metadata: readMetadata(given['metadata']),
    probe: readProbe(given['health'], health),
    health,
  };
}

/** @throws {InvalidRegistrationError} if no service can have that name */
export function assertServiceName(name: unknown, of?: string): string {
  const fault = nameFault(name);
  if (fault === null) return name as string;
  throw wrong('name', name, `it ${fault}. Give 1 to ${MAX_NAME_BYTES} bytes, such as "orders"`, of);
}

/** @throws {InvalidRegistrationError} if no instance can have that id, and no mark that source */
export function assertInstanceId(id: unknown, option = 'id', of?: string): string {
  const fault = idFault(id);
  if (fault === null) return id as string;
  throw wrong(option, id, `it ${fault}. Give 1 to ${MAX_TEXT_BYTES} bytes, such as "orders-1"`, of);
}

function idFault(id: unknown): string | null {
  if (typeof id !== 'string') return 'is not a string';
  if (id === '') return 'is empty';
  if (id.includes('\0')) return 'holds a NUL character';
  if (LONE_SURROGATE.test(id)) return 'holds half of a surrogate pair, which UTF-8 cannot say';
  const bytes = Buffer.byteLength(id);
  return bytes > MAX_TEXT_BYTES ? `has ${bytes} bytes` : null;
}

function readProtocol(value: unknown): ServiceProtocol | undefined {
  if (value === undefined) return undefined;
  if (isProtocol(value)) return value;
  throw wrong('protocol', value, `give one of ${PROTOCOLS.join(', ')}, or leave it out`);
}

function readAddress(value: unknown, protocol: ServiceProtocol | undefined) {
  const cure = 'write "http://10.0.0.7:3000", with http, https, grpc, grpcs or tcp, or "host:port"';
  if (typeof value !== 'string' || value === '') throw wrong('address', value, cure);
  try {
    return parseServiceAddress(value, protocol);
  } catch (error) {
    if (!(error instanceof AddressFault)) throw error;
    // A user may come with a password.
    throw wrong('address', value.replace(/[^/]*@/, '…@'), `it ${error.message}; ${cure}`);
  }
}

function readWeight(value: unknown): number {
  if (value === undefined) return 1;
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw wrong('weight', value, 'give a number above 0, or leave it out for 1');
}

/** What a Map or a class of one's own holds would be lost without a word. */
function isPlain(value: unknown): value is JsonObject {
  if (!isObject(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  // That of another realm, such as a test's, has no parent either.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function readMetadata(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isPlain(value)) throw wrong('metadata', value, 'give a plain object of strings');
  let bytes = 0;
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw wrong(`metadata.${key}`, text, 'give a string; JSON.stringify makes one of anything');
    }
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
  }
  if (bytes > MAX_METADATA_BYTES) {
    throw new InvalidRegistrationError(
      'metadata',
      `The option "metadata" of a registration has ${bytes} bytes of keys and values: ${MAX_METADATA_BYTES} are the most, for all who follow the service keep them. Put what is larger where it can be fetched, and say where.`,
    );
  }
  return Object.freeze({ ...(value as Record<string, string>) });
}
