import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { nameFault } from '../client/name-fault.js';
import { didYouMean } from '../module/did-you-mean.js';
import { InvalidHealthOptionError } from './invalid-health-option.error.js';

/** What the readiness of a connection is made of, besides its session. */
export const HEALTH_PARTS = [
  'watches',
  'configuration',
  'leadership',
  'registry',
  'discovery',
] as const;
export type HealthPart = (typeof HEALTH_PARTS)[number];

const PARTS: ReadonlySet<unknown> = new Set(HEALTH_PARTS);

/** Options of `EtcdHealthIndicator.check`. */
export interface EtcdHealthOptions {
  /** Which connection to look at. Default `default`. */
  readonly connection?: string;
}

/** Options of `EtcdHealthIndicator.liveness`. */
export interface EtcdLivenessOptions extends EtcdHealthOptions {
  /**
   * Milliseconds for which etcd may refuse a lease without a break, as it does with a wrong password,
   * before a restart is asked for. Default 60000; Infinity for never.
   */
  readonly refusedAfterMs?: number;
}

/** Options of `EtcdHealthIndicator.readiness`. */
export interface EtcdReadinessOptions extends EtcdHealthOptions {
  /**
   * Milliseconds after which a watch, or a configuration, that is not known to be what etcd holds counts as stale.
   * While etcd answers, that is known anew every 5 s at the latest. Default 30000; Infinity for
   * never.
   */
  readonly staleAfterMs?: number;
  /**
   * Services that this process cannot do without: it is not ready before it has a list of each, and
   * `degraded` while none of a service's instances can take a call. They are followed from the first check on.
   */
  readonly services?: readonly string[];
  /**
   * What not to look at. A health check of a registration, or the path that it is probed by, should be
   * without `registry`: what it asks would wait for its answer.
   */
  readonly without?: readonly HealthPart[];
}

/** Options of `ConfigHealthIndicator.check`. */
export interface ConfigHealthOptions {
  /** Which connection's configurations to look at. Default `default`. */
  readonly connection?: string;
  /**
   * Milliseconds after which a value that is not known to be etcd's any more counts as stale.
   * While etcd answers, that is known anew every 5 s at the latest. Default 30000.
   */
  readonly staleAfterMs?: number;
}

/** All that a health check may be told. */
interface Resolved {
  readonly connection: string;
  readonly refusedAfterMs: number;
  readonly staleAfterMs: number;
  readonly services: readonly string[];
  readonly without: readonly HealthPart[];
}

const DEFAULTS: Resolved = {
  connection: DEFAULT_CONNECTION,
  refusedAfterMs: 60_000,
  staleAfterMs: 30_000,
  services: [],
  without: [],
};

/**
 * Reads those options of a health check that it `knows`; what was left out has its default.
 *
 * @throws {InvalidHealthOptionError} naming the first that it cannot take
 */
export function readHealthOptions<const Name extends keyof Resolved>(
  check: string,
  given: unknown,
  knows: readonly Name[],
): Pick<Resolved, Name> {
  const wrong = (option: string, value: unknown, cure: string) =>
    new InvalidHealthOptionError(check, option, value, cure);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw wrong('options', given, `give an object with some of: ${knows.join(', ')}.`);
  }
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  for (const [option, value] of set) {
    const name = knows.find((known) => known === option);
    if (!name) throw wrong(option, value, unknownOption(option, knows));
    if (!RULES[name].takes(value)) throw wrong(option, value, RULES[name].cure);
  }
  return { ...DEFAULTS, ...Object.fromEntries(set) };
}

const MILLISECONDS = {
  takes: (value: unknown) => typeof value === 'number' && value > 0,
  cure: 'give milliseconds above 0, or leave it out.',
};

/** What each option can be, and what to give instead of what it cannot. */
const RULES: Record<keyof Resolved, { takes(value: unknown): boolean; readonly cure: string }> = {
  connection: {
    takes: (value) => typeof value === 'string',
    cure: "give a connection's name, or leave it out.",
  },
  refusedAfterMs: MILLISECONDS,
  staleAfterMs: MILLISECONDS,
  services: {
    takes: (value) => Array.isArray(value) && value.every((name) => nameFault(name) === null),
    cure: "give an array of services' names, or leave it out.",
  },
  without: {
    takes: (value) => Array.isArray(value) && value.every((part) => PARTS.has(part)),
    cure: `give an array with some of ${HEALTH_PARTS.join(', ')}, or leave it out.`,
  },
};

function unknownOption(option: string, knows: readonly string[]): string {
  const meant = didYouMean(option, knows);
  return meant === null
    ? `there is no such option. The options here are: ${knows.join(', ')}.`
    : `there is no such option. Did you mean "${meant}"?`;
}
