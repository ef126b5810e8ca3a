import { EtcdCoordinationError } from './coordination.error.js';

/**
 * Where everything of this library lives in etcd:
 *
 *     <namespace>/<feature>/<escaped name>/<rest>
 *
 * Every key is built and parsed here. A name fills exactly one segment, whatever it
 * holds, and every prefix ends in `/`: so the range of `lock/a` never takes in
 * `lock/ab`, nor that of `election/a` anything of `election/a/b`.
 */

/** The features that keep keys, each in a folder of its own. */
export const FEATURES = [
  'election',
  'lock',
  'fence',
  'config',
  'registry',
  'traffic',
  'transaction',
] as const;

/** The second part of a key: whose it is. */
export type Feature = (typeof FEATURES)[number];

/** What a key says of itself. */
export interface ParsedKey {
  readonly feature: Feature;
  /** The name as the user gave it. */
  readonly name: string;
  /** What follows the name's prefix; empty for the prefix itself. */
  readonly rest: string;
}

/** What tells the candidates of one election apart. */
export interface CandidateId {
  /** The lease that keeps the candidate's key. */
  readonly leaseId: bigint;
  /** Which of the lease's candidacies it is: a lease may stand again. */
  readonly sequence: number;
}

// `/` parts the segments and `%` starts an escape. Control characters are escaped so that
// a key can be read in a log or typed after `etcdctl get`.
// oxlint-disable-next-line no-control-regex
const NEEDS_ESCAPE = /[%/\u0000-\u001f\u007f]/g;
const HAS_ESCAPE = new RegExp(NEEDS_ESCAPE.source);
/** Half of a surrogate pair: UTF-8, and so etcd, cannot hold it. */
export const LONE_SURROGATE = /\p{Surrogate}/u;
const ESCAPE = /%([0-9A-F]{2})/g;
const CANDIDATE = /^([1-9a-f][0-9a-f]{0,15})-(0|[1-9][0-9]*)$/;

/** Turns any name into one segment of a key, the same one every time and for no other name. */
export function escapeSegment(name: string): string {
  return name.replace(
    NEEDS_ESCAPE,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}

/** The name that {@link escapeSegment} was given, or null if it cannot have made this segment. */
export function unescapeSegment(segment: string): string | null {
  // Almost always; a list may have 10,000.
  if (!HAS_ESCAPE.test(segment)) return segment;
  const name = segment.replace(ESCAPE, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return escapeSegment(name) === segment ? name : null;
}

/** The prefix of all of one feature's keys, `/` at the end included. */
export function featurePrefix(namespace: string, feature: Feature): string {
  return `${namespace}/${feature}/`;
}

/** The prefix of the keys of one named thing, `/` at the end included. */
export function namePrefix(namespace: string, feature: Feature, name: string): string {
  if (name === '') {
    throw new EtcdCoordinationError(
      'INVALID_KEY',
      `A key of the feature "${feature}" needs a name: an empty one would share the prefix of all others.`,
    );
  }
  return `${featurePrefix(namespace, feature)}${escapeSegment(name)}/`;
}

/** Takes a key apart, or gives null for a key that is none of this namespace's. */
export function parseKey(namespace: string, key: string): ParsedKey | null {
  const start = `${namespace}/`;
  if (!key.startsWith(start)) return null;
  const [feature, segment, ...rest] = key.slice(start.length).split('/');
  if (!isFeature(feature) || !segment || rest.length === 0) return null;
  const name = unescapeSegment(segment);
  return name === null ? null : { feature, name, rest: rest.join('/') };
}

/** The prefix under which the candidates of an election stand. */
export function electionPrefix(namespace: string, election: string): string {
  return namePrefix(namespace, 'election', election);
}

/** The key of one candidate of an election. */
export function candidateKey(namespace: string, election: string, id: CandidateId): string {
  return `${electionPrefix(namespace, election)}${id.leaseId.toString(16)}-${id.sequence}`;
}

/** Takes a candidate's key apart, or gives null for a key that is not one of this namespace's. */
export function parseCandidateKey(
  namespace: string,
  key: string,
): (CandidateId & { readonly election: string }) | null {
  const parsed = parseKey(namespace, key);
  if (parsed?.feature !== 'election') return null;
  const id = parseCandidateId(parsed.rest);
  return id && { election: parsed.name, ...id };
}

/** What follows the election's prefix in a candidate's key, or null if the key is none. */
export function parseCandidateId(rest: string): CandidateId | null {
  const [, lease, sequence] = CANDIDATE.exec(rest) ?? [];
  if (lease === undefined || sequence === undefined) return null;
  return { leaseId: BigInt(`0x${lease}`), sequence: Number(sequence) };
}

/** What tells the keys of one lock's queue apart. */
export interface LockEntryId {
  /** The lease that keeps the key. */
  readonly leaseId: bigint;
  /** Which of that process's places at this lock it is; a place is used again and again. */
  readonly slot: number;
  /** Whether others may hold the lock beside it. */
  readonly shared: boolean;
}

const LOCK_ENTRY = /^([1-9a-f][0-9a-f]{0,15})-(0|[1-9][0-9]*)-([wr])$/;

/** The prefix under which a lock's holders and those who wait for it stand. */
export function lockQueuePrefix(namespace: string, lock: string): string {
  return `${namePrefix(namespace, 'lock', lock)}queue/`;
}

/** The prefix under which a semaphore's holders and those who wait for it stand. */
export function semaphorePrefix(namespace: string, semaphore: string): string {
  return `${namePrefix(namespace, 'lock', semaphore)}semaphore/`;
}

/** The key that says how many permits a semaphore has. */
export function permitsKey(namespace: string, semaphore: string): string {
  return `${namePrefix(namespace, 'lock', semaphore)}permits`;
}

/** What follows the prefix in the key of a holder, or of one who waits. */
export function lockEntrySegment({ leaseId, slot, shared }: LockEntryId): string {
  return `${leaseId.toString(16)}-${slot}-${shared ? 'r' : 'w'}`;
}

/** Takes such a segment apart, or gives null if it is none. */
export function parseLockEntry(segment: string): LockEntryId | null {
  const [, lease, slot, mode] = LOCK_ENTRY.exec(segment) ?? [];
  if (lease === undefined || slot === undefined) return null;
  return { leaseId: BigInt(`0x${lease}`), slot: Number(slot), shared: mode === 'r' };
}

/** The last segment of the key that keeps a lock from everybody until a span is over, see `holdAtLeastMs`. */
export const LOCK_HOLD_SEGMENT = 'hold';

/** The key whose revision tells the requests of one process at one lock from earlier, lost ones. */
export function lockGateKey(namespace: string, lock: string, leaseId: bigint): string {
  return `${namePrefix(namespace, 'lock', lock)}gate/${leaseId.toString(16)}`;
}

/** The key of the newest fence that was seen of a resource. */
export function newestFenceKey(namespace: string, resource: string): string {
  return `${namePrefix(namespace, 'fence', resource)}newest`;
}

/**
 * The prefix of what an instance follows of a configuration: its layers, and a release that
 * is under way.
 */
export function configLivePrefix(namespace: string, config: string): string {
  return `${namePrefix(namespace, 'config', config)}live/`;
}

/** The prefix of a configuration's layers, the documents that are merged into its value. */
export function configLayersPrefix(namespace: string, config: string): string {
  return `${configLivePrefix(namespace, config)}layer/`;
}

/** The key of one layer: `path` is `shared`, or a kind and whose it is, such as `['zone', 'eu-1']`. */
export function configLayerKey(namespace: string, config: string, path: readonly string[]): string {
  return configLayersPrefix(namespace, config) + path.map(escapeSegment).join('/');
}

/** The key of the state of a configuration's last release. */
export function configReleaseKey(namespace: string, config: string): string {
  return `${configLivePrefix(namespace, config)}release`;
}

/** The key of the document that a release under way brings. */
export function configCandidateKey(namespace: string, config: string): string {
  return `${configLivePrefix(namespace, config)}candidate`;
}

/** The prefix of the history of one layer. */
export function configHistoryPrefix(
  namespace: string,
  config: string,
  path: readonly string[],
): string {
  const layer = path.map(escapeSegment).join('/');
  return `${namePrefix(namespace, 'config', config)}history/${layer}/`;
}

/** Sequences are filled up with zeros to this many digits, so that keys stand in their order. */
const SEQUENCE_DIGITS = 10;

/** The prefix of what a layer's history says of each version, its document aside. */
export function configVersionsPrefix(
  namespace: string,
  config: string,
  path: readonly string[],
): string {
  return `${configHistoryPrefix(namespace, config, path)}version/`;
}

/** The prefix of the documents in a layer's history, each archived before it is replaced. */
export function configDocumentsPrefix(
  namespace: string,
  config: string,
  path: readonly string[],
): string {
  return `${configHistoryPrefix(namespace, config, path)}document/`;
}

/** The last segment of the keys of one version. */
export function configSequenceSegment(sequence: number): string {
  return sequence.toString().padStart(SEQUENCE_DIGITS, '0');
}

/** The version's number in such a segment, or null if it is none. */
export function parseConfigSequence(segment: string): number | null {
  return /^\d{10}$/.test(segment) && Number(segment) > 0 ? Number(segment) : null;
}

/** The prefix under which instances report on a release under way. */
export function configReportsPrefix(namespace: string, config: string): string {
  return `${namePrefix(namespace, 'config', config)}report/`;
}

/** The key of one instance's report on a release under way. */
export function configReportKey(namespace: string, config: string, instanceId: string): string {
  return configReportsPrefix(namespace, config) + escapeSegment(instanceId);
}

/** What a key under a service's prefix is: an instance's record, or what somebody says of its health. */
export type RegistryKeyId =
  | { readonly kind: 'instance'; readonly instanceId: string }
  | { readonly kind: 'verdict'; readonly instanceId: string; readonly source: string };

/** The prefix of all that is known of a service's instances. */
export function registryPrefix(namespace: string, service: string): string {
  return namePrefix(namespace, 'registry', service);
}

/** The key of one instance's record. */
export function instanceKey(namespace: string, service: string, instanceId: string): string {
  return `${registryPrefix(namespace, service)}instance/${escapeSegment(instanceId)}`;
}

/** The prefix of all that others say of one instance's health. */
export function verdictPrefix(namespace: string, service: string, instanceId: string): string {
  return `${registryPrefix(namespace, service)}verdict/${escapeSegment(instanceId)}/`;
}

/** The key of what `source`, the prober or somebody's mark, says of one instance's health. */
export function verdictKey(
  namespace: string,
  service: string,
  instanceId: string,
  source: string,
): string {
  return verdictPrefix(namespace, service, instanceId) + escapeSegment(source);
}

/** Takes apart what follows {@link registryPrefix} in a key, or gives null if it is none of ours. */
export function parseRegistryRest(rest: string): RegistryKeyId | null {
  const segments = rest.split('/');
  const [kind, segment, further] = segments;
  const instanceId = segment ? unescapeSegment(segment) : null;
  if (!instanceId || segments.length > 3) return null;
  if (kind === 'instance' && further === undefined) return { kind, instanceId };
  const source = further ? unescapeSegment(further) : null;
  return kind === 'verdict' && source ? { kind, instanceId, source } : null;
}

/** The prefix of what the instances follow of a switch: the fleet's word on it, and their votes. */
export function switchFleetPrefix(namespace: string, name: string): string {
  return `${namePrefix(namespace, 'traffic', `switch/${name}`)}fleet/`;
}

/** The key of the fleet's word on a switch. */
export function switchWordKey(namespace: string, name: string): string {
  return `${switchFleetPrefix(namespace, name)}word`;
}

/** The prefix of the votes on a switch. */
export function switchVotesPrefix(namespace: string, name: string): string {
  return `${switchFleetPrefix(namespace, name)}vote/`;
}

/** The key of one instance's vote on a switch. */
export function switchVoteKey(namespace: string, name: string, instanceId: string): string {
  return switchVotesPrefix(namespace, name) + escapeSegment(instanceId);
}

/** The prefix of the automatic flips of a switch that are kept. */
export function switchFlipsPrefix(namespace: string, name: string): string {
  return `${namePrefix(namespace, 'traffic', `switch/${name}`)}flip/`;
}

/** The prefix under which the processes stand that share a fleet's limit. */
export function limitSharesPrefix(namespace: string, rule: string): string {
  return `${namePrefix(namespace, 'traffic', `limit/${rule}`)}share/`;
}

/** What tells those processes apart: the instance, and a mark of the one process that goes by it now. */
export function limitShareId(instanceId: string, mark: string): string {
  return `${escapeSegment(instanceId)}/${mark}`;
}

/** What is wrong with a namespace, in words that follow "it", or null if nothing is. */
export function namespaceFault(namespace: unknown): string | null {
  if (typeof namespace !== 'string') return 'is not a string';
  if (namespace === '') return 'is empty';
  if (Buffer.byteLength(namespace) > 512) return 'has more than 512 bytes';
  if (namespace.includes('\0')) return 'holds a NUL character';
  if (LONE_SURROGATE.test(namespace))
    return 'holds half of a surrogate pair, which UTF-8 cannot say';
  if (namespace.startsWith('/')) return 'starts with "/"';
  if (namespace.endsWith('/')) return 'ends with "/"';
  const segments = namespace.split('/');
  if (segments.includes('')) return 'holds an empty segment, "//"';
  // Otherwise the keys of namespace `a/election` would lie among those of `a`.
  const inner = segments.slice(1).find(isFeature);
  if (inner !== undefined) {
    return `has a segment "${inner}", where the keys of a shorter namespace would lie`;
  }
  return null;
}

function isFeature(segment: string | undefined): segment is Feature {
  return (FEATURES as readonly (string | undefined)[]).includes(segment);
}
