import { resolve } from 'node:path';
import { inspect } from 'node:util';
import { InvalidDiscoveryOptionError } from './discovery.errors.js';
import {
  DEFAULT_DISCOVERY_OPTIONS,
  DEFAULT_EJECTION,
  DEFAULT_PROTECTION,
  type ResolvedDiscoveryOptions,
} from './discovery-options.js';

/** The longest that a timer of Node can wait, in milliseconds: some 24 days. */
const LONGEST_MS = 2 ** 31 - 1;

const MILLISECONDS = whole(0, LONGEST_MS, 'milliseconds');
const SPAN = whole(1, LONGEST_MS, 'milliseconds');

/** What a number may be. */
interface Rule {
  fits(value: number): boolean;
  readonly cure: string;
}

type Group = Readonly<Record<string, unknown>>;

/**
 * Fills in what was left out.
 *
 * @throws {InvalidDiscoveryOptionError} naming the first option that cannot be, its value and the cure
 */
export function readDiscoveryOptions(given: unknown = {}): ResolvedDiscoveryOptions {
  const options = group('discovery', given, Object.keys(DEFAULT_DISCOVERY_OPTIONS));
  const defaults = DEFAULT_DISCOVERY_OPTIONS;
  const slowStartMs = number('discovery', options, 'slowStartMs', MILLISECONDS);
  const idleMs = number('discovery', options, 'idleMs', MILLISECONDS);
  return {
    protection: readProtection(options['protection']),
    ejection: readEjection(options['ejection']),
    slowStartMs: slowStartMs ?? defaults.slowStartMs,
    zone: readZone(options['zone']),
    subset: readSubset(options['subset']),
    snapshot: readSnapshot(options['snapshot']),
    idleMs: idleMs ?? defaults.idleMs,
  };
}

function readProtection(given: unknown): ResolvedDiscoveryOptions['protection'] {
  if (given === false) return false;
  const path = 'discovery.protection';
  const own = group(path, given ?? {}, Object.keys(DEFAULT_PROTECTION), 'or false to turn it off');
  const maxLossShare = number(path, own, 'maxLossShare', {
    fits: (value) => value >= 0 && value < 1,
    cure: 'give a share from 0 up to, and without, 1, such as 0.5',
  });
  return {
    maxLossShare: maxLossShare ?? DEFAULT_PROTECTION.maxLossShare,
    windowMs: number(path, own, 'windowMs', SPAN) ?? DEFAULT_PROTECTION.windowMs,
    atLeast:
      number(path, own, 'atLeast', whole(1, 1_000_000, 'instances')) ?? DEFAULT_PROTECTION.atLeast,
    holdMs: number(path, own, 'holdMs', SPAN) ?? DEFAULT_PROTECTION.holdMs,
  };
}

function readEjection(given: unknown): ResolvedDiscoveryOptions['ejection'] {
  if (given === false) return false;
  const path = 'discovery.ejection';
  const own = group(path, given ?? {}, Object.keys(DEFAULT_EJECTION), 'or false to turn it off');
  const baseMs = number(path, own, 'baseMs', SPAN) ?? DEFAULT_EJECTION.baseMs;
  const maxMs = number(path, own, 'maxMs', SPAN) ?? Math.max(DEFAULT_EJECTION.maxMs, baseMs);
  if (maxMs < baseMs) {
    throw wrong(`${path}.maxMs`, maxMs, `give ${baseMs} or more, for that is the first ejection`);
  }
  return {
    failures:
      number(path, own, 'failures', whole(1, 1_000_000, 'failures')) ?? DEFAULT_EJECTION.failures,
    baseMs,
    maxMs,
    maxShare: number(path, own, 'maxShare', SHARE) ?? DEFAULT_EJECTION.maxShare,
  };
}

const SHARE: Rule = {
  fits: (value) => value > 0 && value <= 1,
  cure: 'give a share above 0, up to 1, such as 0.5',
};

function readZone(given: unknown): ResolvedDiscoveryOptions['zone'] {
  const path = 'discovery.zone';
  const own = group(path, given ?? {}, ['minHealthy']);
  return {
    minHealthy: number(path, own, 'minHealthy', SHARE) ?? DEFAULT_DISCOVERY_OPTIONS.zone.minHealthy,
  };
}

function readSubset(given: unknown): ResolvedDiscoveryOptions['subset'] {
  if (given === undefined) return null;
  const path = 'discovery.subset';
  const rule = whole(1, 1_000_000, 'instances');
  const size = number(path, group(path, given, ['size']), 'size', rule);
  if (size === undefined) throw wrong(`${path}.size`, undefined, rule.cure);
  return { size };
}

function readSnapshot(given: unknown): ResolvedDiscoveryOptions['snapshot'] {
  if (given === undefined) return null;
  const path = 'discovery.snapshot';
  const { file } = group(path, given, ['file']);
  if (typeof file !== 'string' || file === '' || file.includes('\0')) {
    throw wrong(`${path}.file`, file, 'give the path of a file that can be written');
  }
  // The working directory may be another one by the time that it is written.
  return { file: resolve(file) };
}

function group(path: string, given: unknown, known: readonly string[], or = ''): Group {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    const alternative = or && `, ${or}`;
    throw wrong(path, given, `give an object with some of ${known.join(', ')}${alternative}`);
  }
  const options = given as Group;
  const unknown = Object.keys(options).find(
    (name) => !known.includes(name) && options[name] !== undefined,
  );
  if (unknown !== undefined) {
    throw new InvalidDiscoveryOptionError(
      `${path}.${unknown}`,
      `The option "${path}.${unknown}" is not known. The options here are: ${known.join(', ')}.`,
    );
  }
  return options;
}

function number(path: string, own: Group, name: string, rule: Rule): number | undefined {
  const value = own[name];
  if (value === undefined) return undefined;
  if (typeof value === 'number' && rule.fits(value)) return value;
  throw wrong(`${path}.${name}`, value, rule.cure);
}

function whole(least: number, most: number, unit: string): Rule {
  return {
    fits: (value) => Number.isInteger(value) && value >= least && value <= most,
    cure: `give a whole number of ${unit} from ${least} to ${most}`,
  };
}

function wrong(option: string, value: unknown, cure: string): InvalidDiscoveryOptionError {
  const state =
    value === undefined
      ? 'is missing'
      : `is ${inspect(value, { depth: 0, breakLength: Infinity, maxStringLength: 80 })}`;
  return new InvalidDiscoveryOptionError(option, `The option "${option}" ${state}: ${cure}.`);
}
