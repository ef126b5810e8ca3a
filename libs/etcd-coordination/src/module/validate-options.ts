import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { isPromise } from 'node:util/types';
import {
  DEFAULT_ENDPOINT_SYNC_INTERVAL,
  DEFAULT_RETRY,
  DEFAULT_TIMEOUTS,
} from '../client/client-options.js';
import { DEFAULT_CONNECTION } from '../client/connection-name.js';
import { LONE_SURROGATE, namespaceFault } from '../client/keys.js';
import { DEFAULT_TURNS } from '../lock/lock.service.js';
import { DEFAULT_SESSION_OPTIONS } from '../session/session-options.js';
import { DEFAULT_CHECK_INTERVAL_MS } from '../watch/range-view.js';
import {
  DEFAULT_NAMESPACE,
  DEFAULT_SHUTDOWN_OPTIONS,
  type ResolvedCoordinationOptions,
  type ServiceOptions,
} from './coordination-options.js';
import { InvalidOptionError, shown } from './invalid-option.error.js';
import { isText, OptionReader } from './option-reader.js';
import { readConfig } from './validate-config.js';
import { readCredentials } from './validate-credentials.js';
import { readEndpoints } from './validate-endpoints.js';
import {
  readDiscovery,
  readOwnRegistration,
  readRegistry,
  readService,
} from './validate-service.js';
import { readBatcher, readTraffic } from './validate-traffic.js';

const KNOWN = [
  'endpoints',
  'namespace',
  'connection',
  'instanceId',
  'credentials',
  'auth',
  'timeouts',
  'retry',
  'endpointSyncInterval',
  'session',
  'service',
  'registry',
  'config',
  'discovery',
  'watch',
  'lock',
  'traffic',
  'batcher',
  'shutdown',
] as const;

// setTimeout takes no more, and fires at once if it is given more.
const MAX_TIMER_MS = 2_147_483_647;
// With what is added to it at random it must stay below the largest timer.
const MAX_CHECK_INTERVAL_MS = 86_400_000;
// How many grants there may be behind one key of etcd, fewer than 2^20.
const MAX_TURNS = 1_000_000;
// A day; with what is added to it for the calls it must stay below the largest timer.
const MAX_DRAIN_MS = 86_400_000;
// Longer, and one crash would leave a fleet without its leader for more than a day.
const MAX_TTL_SECONDS = 86_400;

/**
 * Checks what `forRoot` was given and fills in the defaults, before anything connects.
 *
 * @throws {InvalidOptionError} naming the first wrong option, its value and the cure
 */
export function validateOptions(given: unknown): ResolvedCoordinationOptions {
  const options = OptionReader.root(given, KNOWN);
  const connection = readConnectionName(options.optional('connection'));
  const namespace = readNamespace(options.optional('namespace'));
  const service = readService(options);
  const instanceId = readInstanceId(options.optional('instanceId'), service);
  const endpoints = readEndpoints(options.optional('endpoints'));
  const credentials = readCredentials(options, endpoints);
  const auth = readAuth(options);
  return {
    connection,
    namespace,
    instanceId,
    client: {
      connection,
      endpoints,
      ...(credentials && { credentials }),
      ...(auth && { auth }),
      timeouts: readTimeouts(options),
      retry: readRetry(options),
      endpointSyncInterval: options.wholeNumber('endpointSyncInterval', {
        fallback: DEFAULT_ENDPOINT_SYNC_INTERVAL,
        least: 0,
        most: MAX_TIMER_MS,
        unit: 'milliseconds',
        hint: '0 turns the look at the member list off',
      }),
    },
    session: readSession(options),
    service,
    registration: readOwnRegistration(service, instanceId),
    registry: readRegistry(options),
    discovery: readDiscovery(options.optional('discovery')),
    config: readConfig(options),
    watch: readWatch(options),
    lock: readLock(options),
    traffic: readTraffic(options),
    batcher: readBatcher(options),
    shutdown: readShutdown(options),
  };
}

/**
 * Checks the name of a connection.
 *
 * @throws {InvalidOptionError} if it is not a string with something in it
 */
export function readConnectionName(given: unknown): string {
  if (given === undefined) return DEFAULT_CONNECTION;
  if (typeof given === 'string' && given.trim() !== '') return given;
  throw new InvalidOptionError(
    'connection',
    given,
    `is ${shown(given)}: a connection's name is a string that is not empty. Leave it out for the default connection.`,
  );
}

/** Refuses options that a factory has not made. */
export function assertMade(made: unknown, connection: string): void {
  if (made !== undefined && made !== null && !isPromise(made)) return;
  throw new InvalidOptionError(
    'useFactory',
    made,
    `of forRootAsync returned ${shown(made)} for the connection "${connection}": return the options, at least { endpoints: ['127.0.0.1:2379'] }.`,
  );
}

function readNamespace(given: unknown): string {
  if (given === undefined) return DEFAULT_NAMESPACE;
  const fault = namespaceFault(given);
  if (fault === null) return given as string;
  throw new InvalidOptionError(
    'namespace',
    given,
    `is ${shown(given)}: it ${fault}. Give a string such as "coordination" or "team/orders"; the library adds the closing "/" itself.`,
  );
}

function readInstanceId(given: unknown, service: ServiceOptions | undefined): string {
  if (given === undefined) {
    return `${service?.name ?? hostname()}-${process.pid}-${randomBytes(2).toString('hex')}`;
  }
  if (isText(given) && !unsayable(given)) return given;
  throw new InvalidOptionError(
    'instanceId',
    given,
    `is ${shown(given)}: it must be a string that is not empty, of 1024 bytes at most, and different for each process. Leave it out to have one made.`,
  );
}

function readAuth(options: OptionReader) {
  const auth = options.group('auth', ['username', 'password']);
  if (!auth) return undefined;
  return { username: auth.text('username'), password: auth.secret('password') };
}

function readTimeouts(options: OptionReader) {
  const timeouts = options.group('timeouts', Object.keys(DEFAULT_TIMEOUTS));
  if (!timeouts) return DEFAULT_TIMEOUTS;
  const read = (name: keyof typeof DEFAULT_TIMEOUTS) =>
    timeouts.wholeNumber(name, {
      fallback: DEFAULT_TIMEOUTS[name],
      least: 1,
      most: MAX_TIMER_MS,
      unit: 'milliseconds',
    });
  return {
    connect: read('connect'),
    heartbeat: read('heartbeat'),
    read: read('read'),
    write: read('write'),
    registration: read('registration'),
  };
}

function readRetry(options: OptionReader) {
  const retry = options.group('retry', Object.keys(DEFAULT_RETRY));
  if (!retry) return DEFAULT_RETRY;
  const maxAttempts = retry.wholeNumber('maxAttempts', {
    fallback: DEFAULT_RETRY.maxAttempts,
    least: 1,
    most: 100,
    unit: 'attempts',
    hint: '1 turns retries off',
  });
  const initialDelayMs = retry.wholeNumber('initialDelayMs', {
    fallback: DEFAULT_RETRY.initialDelayMs,
    least: 0,
    most: MAX_TIMER_MS,
    unit: 'milliseconds',
  });
  const maxDelayMs = retry.wholeNumber('maxDelayMs', {
    fallback: Math.max(DEFAULT_RETRY.maxDelayMs, initialDelayMs),
    least: 0,
    most: MAX_TIMER_MS,
    unit: 'milliseconds',
  });
  if (maxDelayMs >= initialDelayMs) return { maxAttempts, initialDelayMs, maxDelayMs };
  throw new InvalidOptionError(
    'retry.maxDelayMs',
    maxDelayMs,
    `is ${maxDelayMs}, less than retry.initialDelayMs, ${initialDelayMs}: the longest pause cannot be shorter than the first. Raise the one or lower the other.`,
  );
}

function readSession(options: OptionReader) {
  const session = options.group('session', Object.keys(DEFAULT_SESSION_OPTIONS));
  if (!session) return DEFAULT_SESSION_OPTIONS;
  return {
    ttlSeconds: session.wholeNumber('ttlSeconds', {
      fallback: DEFAULT_SESSION_OPTIONS.ttlSeconds,
      least: 1,
      most: MAX_TTL_SECONDS,
      unit: 'seconds',
    }),
  };
}

function readWatch(options: OptionReader) {
  const rule = {
    fallback: DEFAULT_CHECK_INTERVAL_MS,
    least: 0,
    most: MAX_CHECK_INTERVAL_MS,
    unit: 'milliseconds',
    hint: '0 turns the checks off',
  };
  const watch = options.group('watch', ['checkIntervalMs']);
  return { checkIntervalMs: watch?.wholeNumber('checkIntervalMs', rule) ?? rule.fallback };
}

function readLock(options: OptionReader) {
  const lock = options.group('lock', Object.keys(DEFAULT_TURNS));
  if (!lock) return DEFAULT_TURNS;
  return {
    localTurns: lock.wholeNumber('localTurns', {
      fallback: DEFAULT_TURNS.localTurns,
      least: 1,
      most: MAX_TURNS,
      unit: 'turns',
      hint: '1 asks etcd for each grant',
    }),
    localMs: lock.wholeNumber('localMs', {
      fallback: DEFAULT_TURNS.localMs,
      least: 0,
      most: MAX_CHECK_INTERVAL_MS,
      unit: 'milliseconds',
    }),
  };
}

function readShutdown(options: OptionReader) {
  const shutdown = options.group('shutdown', Object.keys(DEFAULT_SHUTDOWN_OPTIONS));
  if (!shutdown) return DEFAULT_SHUTDOWN_OPTIONS;
  return {
    drainTimeoutMs: shutdown.wholeNumber('drainTimeoutMs', {
      fallback: DEFAULT_SHUTDOWN_OPTIONS.drainTimeoutMs,
      least: 0,
      most: MAX_DRAIN_MS,
      unit: 'milliseconds',
      hint: '0 hands over without waiting for running work',
    }),
    noticeMs: shutdown.wholeNumber('noticeMs', {
      fallback: DEFAULT_SHUTDOWN_OPTIONS.noticeMs,
      least: 0,
      most: MAX_DRAIN_MS,
      unit: 'milliseconds',
      hint: '0 closes its servers without giving notice',
    }),
  };
}

function unsayable(text: string): boolean {
  return text.includes('\0') || LONE_SURROGATE.test(text);
}
