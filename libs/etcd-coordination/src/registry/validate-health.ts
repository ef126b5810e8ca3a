import type { HealthCheck } from './health/health-check.js';
import { isObject, wholeOrNull } from './json-record.js';
import { refuseUnknown, wrong } from './option-faults.js';
import type { ResolvedHealth } from './registration-options.js';
import { DAY_MS } from './day.js';
import { PROBE_KINDS, type ProbeSpec } from './service-instance.js';

const MOST_ROUNDS = 1000;
const NUMBERS = ['intervalMs', 'timeoutMs', 'failures', 'passes'] as const;
/** An instance has other things to do than to check itself. */
const LEAST_CHECK = { intervalMs: 100, timeoutMs: 10, failures: 1, passes: 1 };
/**
 * Each probe is a connection of its own, from a process that has hundreds of them to ask. A prober itself
 * goes down to 100 ms, for records that others have written.
 */
const LEAST_PROBE = { ...LEAST_CHECK, intervalMs: 250 };
const DEFAULTS = { intervalMs: 5000, timeoutMs: 2000, failures: 3, passes: 2 };

type Numbers = Pick<ResolvedHealth, (typeof NUMBERS)[number]>;

/** @throws InvalidRegistrationError naming the option, what it is, and the cure */
export function readHealth(given: unknown): ResolvedHealth {
  const health = given ?? {};
  if (!isObject(health)) throw wrong('health', given, 'give an object, or leave it out');
  refuseUnknown('health.', health, [...NUMBERS, 'checks', 'maxEventLoopDelayMs', 'probe']);
  return {
    ...readNumbers('health', health, DEFAULTS, LEAST_CHECK),
    checks: readChecks(health['checks']),
    maxEventLoopDelayMs: readDelay(health['maxEventLoopDelayMs']),
  };
}

/**
 * How the instance asks to be probed, or null if it does not.
 *
 * @param health what {@link readHealth} has read
 * @throws InvalidRegistrationError naming the option, what it is, and the cure
 */
export function readProbe(health: unknown, numbers: Numbers): ProbeSpec | null {
  const probe = isObject(health) ? health['probe'] : undefined;
  if (probe === undefined) return null;
  if (!isObject(probe))
    throw wrong('health.probe', probe, `give { kind: 'http' }, or leave it out`);
  refuseUnknown('health.probe.', probe, ['kind', 'port', 'target', ...NUMBERS]);
  const kind = PROBE_KINDS.find((known) => known === probe['kind']);
  if (!kind)
    throw wrong('health.probe.kind', probe['kind'], `give one of ${PROBE_KINDS.join(', ')}`);
  return {
    kind,
    port: readPort(probe['port']),
    target: readTarget(kind, probe['target']),
    ...readNumbers('health.probe', probe, numbers, LEAST_PROBE),
  };
}

/** @throws InvalidRegistrationError if the check has no name, or is no function */
export function assertHealthCheck(
  option: string,
  name: unknown,
  check: unknown,
  of?: string,
): void {
  if (typeof name !== 'string' || name === '') {
    throw wrong(option, name, 'name the check, for people who read why an instance is down', of);
  }
  if (typeof check !== 'function') {
    throw wrong(
      `${option}.${name}`,
      check,
      'give a function that says whether the instance is well',
      of,
    );
  }
}

function readChecks(given: unknown): Readonly<Record<string, HealthCheck>> {
  if (given === undefined) return {};
  if (!isObject(given)) {
    throw wrong(
      'health.checks',
      given,
      'give an object of functions, { database: async () => { await db.ping(); } }',
    );
  }
  for (const [name, check] of Object.entries(given)) {
    assertHealthCheck('health.checks', name, check);
  }
  return { ...(given as Record<string, HealthCheck>) };
}

function readNumbers(
  path: string,
  given: Readonly<Record<string, unknown>>,
  defaults: Numbers,
  least: Numbers,
): Numbers {
  const [intervalMs, timeoutMs, failures, passes] = NUMBERS.map((name) => {
    const value = given[name];
    const [most, unit] = name.endsWith('Ms') ? [DAY_MS, 'of milliseconds '] : [MOST_ROUNDS, ''];
    // What was asked of the checks may be too often for a probe.
    const left = Math.max(defaults[name], least[name]);
    const number = value === undefined ? left : wholeOrNull(value, least[name], most);
    if (number !== null) return number;
    const cure = `give a whole number ${unit}from ${least[name]} to ${most}, or leave it out for ${left}`;
    throw wrong(`${path}.${name}`, value, cure);
  }) as [number, number, number, number];
  return { intervalMs, timeoutMs, failures, passes };
}

function readDelay(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && value > 0 && value <= DAY_MS) return value;
  throw wrong('health.maxEventLoopDelayMs', value, 'give milliseconds above 0, or leave it out');
}

function readPort(value: unknown): number | null {
  if (value === undefined || value === null) return null;
  const port = wholeOrNull(value, 1, 65_535);
  if (port !== null) return port;
  throw wrong(
    'health.probe.port',
    value,
    `give a port from 1 to 65535, or leave it out for the address's`,
  );
}

function readTarget(kind: ProbeSpec['kind'], value: unknown): string {
  if (value === undefined) return kind === 'http' ? '/' : '';
  const isUsable =
    typeof value === 'string' &&
    value.length <= 1024 &&
    (kind === 'http' ? /^\/[\x21-\x7e]*$/.test(value) : !value.includes('\0'));
  if (isUsable) return value;
  const cure =
    kind === 'http' ? 'give a path such as "/health"' : `give a service's name, or leave it out`;
  throw wrong('health.probe.target', value, cure);
}
