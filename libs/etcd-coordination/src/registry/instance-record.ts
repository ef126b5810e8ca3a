import { DAY_MS } from './day.js';
import { isObject, type JsonObject, parseObject, textOrNull, wholeOrNull } from './json-record.js';
import { readServiceAddress, type ServiceAddress } from './service-address.js';
import {
  INSTANCE_STATES,
  PROBE_KINDS,
  type InstanceState,
  type ProbeSpec,
  type ServiceInstance,
} from './service-instance.js';

/** What an instance's key holds: what it is, and what it says of its own health. */
export interface InstanceRecord
  extends
    ServiceAddress,
    Pick<ServiceInstance, 'zone' | 'weight' | 'version' | 'metadata' | 'probe'> {
  /** What it says of itself. */
  readonly state: InstanceState;
  /** Why, for people; null if nothing is to be said. */
  readonly reason: string | null;
  /** The `instanceId` of the process that registered it. */
  readonly by: string;
  /** Different for each registration, so that a lost answer can be settled by reading the key. */
  readonly mark: string;
}

export function encodeInstanceRecord(record: InstanceRecord): Buffer {
  const { address, zone, weight, version, metadata, probe, state, reason, by, mark } = record;
  // Protocol, host and port are those of the address.
  const said = { address, zone, weight, version, metadata, probe, state, reason, by, mark };
  return Buffer.from(JSON.stringify(said));
}

/**
 * Reads what stands under an instance's key, or gives null for what is no record: not JSON, or
 * without an address or a state that can be one. What else is amiss, or unknown, is left out.
 * Never throws.
 */
export function decodeInstanceRecord(data: Buffer): InstanceRecord | null {
  const said = parseObject(data);
  const place = said && readServiceAddress(said['address']);
  if (!said || !place || !isInstanceState(said['state'])) return null;
  // Field by field: of 10,000 records, spreading it takes most of the time.
  const { address, protocol, host, port } = place;
  const { weight } = said;
  return {
    address,
    protocol,
    host,
    port,
    zone: textOrNull(said['zone']),
    weight: typeof weight === 'number' && Number.isFinite(weight) && weight > 0 ? weight : 1,
    version: textOrNull(said['version']),
    metadata: readMetadata(said['metadata']),
    probe: readProbe(said['probe']),
    state: said['state'],
    reason: textOrNull(said['reason']),
    by: textOrNull(said['by']) ?? '',
    mark: textOrNull(said['mark']) ?? '',
  };
}

export function isInstanceState(value: unknown): value is InstanceState {
  return (INSTANCE_STATES as readonly unknown[]).includes(value);
}

function readMetadata(given: unknown): Readonly<Record<string, string>> {
  if (!isObject(given)) return {};
  if (isTexts(given)) return given;
  const texts = Object.entries(given).filter(([, value]) => typeof value === 'string');
  return Object.fromEntries(texts) as Record<string, string>;
}

function isTexts(given: JsonObject): given is Readonly<Record<string, string>> {
  for (const key in given) if (typeof given[key] !== 'string') return false;
  return true;
}

/** What asks for a probe that nobody can make asks for none. */
function readProbe(given: unknown): ProbeSpec | null {
  if (!isObject(given)) return null;
  const kind = PROBE_KINDS.find((known) => known === given['kind']);
  const intervalMs = wholeOrNull(given['intervalMs'], 1, DAY_MS);
  const timeoutMs = wholeOrNull(given['timeoutMs'], 1, DAY_MS);
  const failures = wholeOrNull(given['failures'], 1, Number.MAX_SAFE_INTEGER);
  const passes = wholeOrNull(given['passes'], 1, Number.MAX_SAFE_INTEGER);
  if (!kind || !intervalMs || !timeoutMs || !failures || !passes) return null;
  return {
    kind,
    port: wholeOrNull(given['port'], 1, 65_535),
    target: typeof given['target'] === 'string' ? given['target'] : '',
    intervalMs,
    timeoutMs,
    failures,
    passes,
  };
}
