import { hostname } from 'node:os';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { EtcdCoordinationError } from '../client/coordination.error.js';
import { DEFAULT_DISCOVERY_OPTIONS } from '../discovery/discovery-options.js';
import { readWriteBatcherOptions } from '../transaction/write-batcher-options.js';
import { InvalidOptionError } from './invalid-option.error.js';
import { validateOptions } from './validate-options.js';

const endpoints = ['127.0.0.1:2379'];
const pem = Buffer.from('-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n');

/** The error that the options are refused with. */
function refusal(options: unknown): InvalidOptionError {
  try {
    validateOptions(options);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidOptionError);
    expect(error).toBeInstanceOf(EtcdCoordinationError);
    expect(error).toMatchObject({ code: 'INVALID_OPTION' });
    // It names the option where a person reads it.
    expect((error as InvalidOptionError).message).toContain((error as InvalidOptionError).option);
    return error as InvalidOptionError;
  }
  throw new Error('The options were taken.');
}

const limit = (fields: object) => ({ limit: 10, windowMs: 1000, mode: 'instance', ...fields });

describe('the options', () => {
  it('need endpoints only', () => {
    const { instanceId, ...resolved } = validateOptions({ endpoints });

    expect(resolved).toEqual({
      connection: 'default',
      namespace: 'coordination',
      client: {
        connection: 'default',
        endpoints,
        timeouts: { connect: 5000, heartbeat: 1000, read: 3000, write: 3000, registration: 5000 },
        retry: { maxAttempts: 3, initialDelayMs: 50, maxDelayMs: 1000 },
        endpointSyncInterval: 30_000,
      },
      session: { ttlSeconds: 10 },
      service: undefined,
      config: { historyLimit: 50 },
      watch: { checkIntervalMs: 60_000 },
      lock: { localTurns: 16, localMs: 50 },
      traffic: { limits: {}, policies: {}, switches: {} },
      batcher: readWriteBatcherOptions(),
      shutdown: { drainTimeoutMs: 10_000, noticeMs: 500 },
      registration: null,
      registry: {},
      discovery: DEFAULT_DISCOVERY_OPTIONS,
    });
    expect(instanceId).toMatch(new RegExp(`^${hostname()}-${process.pid}-[0-9a-f]{4}$`));
  });

  it('make an instance id of the service, another one each time', () => {
    const id = () => validateOptions({ endpoints, service: { name: 'orders' } }).instanceId;
    const ids = new Set(Array.from({ length: 20 }, id));

    for (const one of ids) expect(one).toMatch(new RegExp(`^orders-${process.pid}-[0-9a-f]{4}$`));
    expect(ids.size).toBeGreaterThan(1);
  });

  it('are taken as given', () => {
    const given = {
      endpoints: ['https://etcd-0:2379', 'https://[::1]:2379'],
      namespace: 'team/orders',
      connection: 'reports',
      instanceId: 'orders-1',
      credentials: { rootCertificate: pem, privateKey: pem, certChain: pem },
      auth: { username: 'app', password: 'secret' },
      timeouts: { read: 100 },
      retry: { maxAttempts: 1 },
      endpointSyncInterval: 0,
      session: { ttlSeconds: 1 },
      service: {
        name: 'orders',
        address: '10.0.0.7:3000',
        zone: 'a',
        weight: 0.5,
        version: '1.2.3',
        protocol: 'https',
        metadata: { team: 'x' },
        health: { intervalMs: 1000 },
      },
      registry: {},
      discovery: { slowStartMs: 0 },
      config: {
        snapshot: { file: '/var/lib/orders/config', encryptionKey: 'ab'.repeat(32) },
        historyLimit: 5,
      },
      watch: { checkIntervalMs: 0 },
      lock: { localTurns: 4 },
      traffic: { limits: { orders: { limit: 100, windowMs: 1000, mode: 'fleet' } } },
      batcher: { windowMs: 5 },
      shutdown: { drainTimeoutMs: 0 },
    };

    expect(validateOptions(given)).toEqual({
      connection: 'reports',
      namespace: 'team/orders',
      instanceId: 'orders-1',
      client: {
        connection: 'reports',
        endpoints: given.endpoints,
        credentials: given.credentials,
        auth: given.auth,
        timeouts: { connect: 5000, heartbeat: 1000, read: 100, write: 3000, registration: 5000 },
        retry: { maxAttempts: 1, initialDelayMs: 50, maxDelayMs: 1000 },
        endpointSyncInterval: 0,
      },
      session: { ttlSeconds: 1 },
      service: { ...given.service, register: true },
      registration: { ...given.service, id: 'orders-1' },
      registry: {},
      discovery: { ...DEFAULT_DISCOVERY_OPTIONS, slowStartMs: 0 },
      config: {
        snapshot: { file: '/var/lib/orders/config', encryptionKey: Buffer.alloc(32, 0xab) },
        historyLimit: 5,
      },
      watch: { checkIntervalMs: 0 },
      lock: { localTurns: 4, localMs: 50 },
      traffic: { limits: given.traffic.limits, policies: {}, switches: {} },
      batcher: readWriteBatcherOptions({ windowMs: 5 }),
      shutdown: { drainTimeoutMs: 0, noticeMs: 500 },
    });
  });

  it('take the rules as they were checked, whatever becomes of the object', () => {
    const orders = { limit: 100, windowMs: 1000, mode: 'fleet' };
    const { traffic } = validateOptions({ endpoints, traffic: { limits: { orders } } });
    orders.limit = -1;

    expect(traffic.limits).toEqual({ orders: { limit: 100, windowMs: 1000, mode: 'fleet' } });
  });

  it('may be undefined where they may be left out', () => {
    const { client } = validateOptions({ endpoints, auth: undefined, typo: undefined });

    expect(client).not.toHaveProperty('auth');
  });

  it.each([undefined, null, 'x', [], 7])('are refused as a whole when they are %j', (options) => {
    expect(refusal(options).option).toBe('options');
  });

  it.each([
    [undefined, 'endpoints', 'is missing'],
    [[], 'endpoints', 'is empty'],
    ['127.0.0.1:2379', 'endpoints', 'give an array of strings'],
    [['localhost'], 'endpoints[0]', '"host:port"'],
    [['http://'], 'endpoints[0]', '"host:port"'],
    [['localhost:0'], 'endpoints[0]', 'the port 0'],
    [['localhost:70000'], 'endpoints[0]', 'the port 70000'],
    [['local host:2379'], 'endpoints[0]', 'malformed'],
    [[' localhost:2379'], 'endpoints[0]', 'malformed'],
    [['localhost:2379/path'], 'endpoints[0]', 'malformed'],
    [['ftp://localhost:2379'], 'endpoints[0]', 'malformed'],
    [['::1:2379'], 'endpoints[0]', 'malformed'],
    [['a:1', ''], 'endpoints[1]', 'is empty'],
    [['a:1', null], 'endpoints[1]', 'is not a string'],
    // A hole in the array is no endpoint either.
    // oxlint-disable-next-line no-sparse-arrays
    [['a:1', , 'b:1'], 'endpoints[1]', 'is not a string'],
    [['a:1', 'b:1', 'http://A:1'], 'endpoints[2]', 'endpoints[0] names already'],
    [['http://a:1', 'https://b:1'], 'endpoints[1]', 'with TLS or without'],
    [['a:1', 'https://b:1'], 'endpoints[1]', 'with TLS or without'],
  ])('refuse the endpoints %j', (wrong, option, words) => {
    const error = refusal({ endpoints: wrong });

    expect(error.option).toBe(option);
    expect(error.message).toContain(words);
  });

  it.each([
    ['session', { ttlSeconds: 0 }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: -1 }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: 0.5 }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: NaN }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: Infinity }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: '5' }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: null }, 'session.ttlSeconds'],
    ['session', { ttlSeconds: 86_401 }, 'session.ttlSeconds'],
    ['session', { ttl: 5 }, 'session.ttl'],
    ['session', 5, 'session'],
    ['session', null, 'session'],
    ['timeouts', { read: 0 }, 'timeouts.read'],
    ['timeouts', { write: -5 }, 'timeouts.write'],
    ['timeouts', { connect: '1s' }, 'timeouts.connect'],
    ['timeouts', { heartbeat: 1.5 }, 'timeouts.heartbeat'],
    ['timeouts', { registration: 2 ** 31 }, 'timeouts.registration'],
    ['retry', { maxAttempts: 0 }, 'retry.maxAttempts'],
    ['retry', { initialDelayMs: -1 }, 'retry.initialDelayMs'],
    ['retry', { initialDelayMs: 100, maxDelayMs: 50 }, 'retry.maxDelayMs'],
    ['endpointSyncInterval', -1, 'endpointSyncInterval'],
    ['endpointSyncInterval', '30s', 'endpointSyncInterval'],
    ['shutdown', { drainTimeoutMs: -1 }, 'shutdown.drainTimeoutMs'],
    ['shutdown', { drainTimeoutMs: 2 ** 31 }, 'shutdown.drainTimeoutMs'],
    ['namespace', '', 'namespace'],
    ['namespace', '/a', 'namespace'],
    ['namespace', 'a/', 'namespace'],
    ['namespace', 'a\0', 'namespace'],
    ['namespace', 7, 'namespace'],
    ['connection', '', 'connection'],
    ['connection', 7, 'connection'],
    ['instanceId', '', 'instanceId'],
    ['instanceId', 'a\0', 'instanceId'],
    ['service', { zone: 'a' }, 'service.name'],
    ['service', { name: '' }, 'service.name'],
    ['service', { name: 'a', weight: 0 }, 'service.weight'],
    ['service', { name: 'a', metadata: { a: 1 } }, 'service.metadata'],
    ['service', { name: 'a', address: 3000 }, 'service.address'],
    ['auth', { username: 'app' }, 'auth.password'],
    ['auth', { password: 'x' }, 'auth.username'],
    ['auth', { username: 'app', password: '' }, 'auth.password'],
    ['config', 'snapshot.json', 'config'],
    ['config', { historyLimit: 0 }, 'config.historyLimit'],
    ['config', { snapshot: 'snapshot.json' }, 'config.snapshot'],
    ['config', { snapshot: {} }, 'config.snapshot.file'],
    ['config', { snapshot: { file: '' } }, 'config.snapshot.file'],
    ['config', { snapshot: { file: 'a\0' } }, 'config.snapshot.file'],
    ['config', { snapshot: { file: 'a', key: 'x' } }, 'config.snapshot.key'],
    ['config', { snapshot: { file: 'a', encryptionKey: 'ab' } }, 'config.snapshot.encryptionKey'],
    [
      'config',
      { snapshot: { file: 'a', encryptionKey: new Uint8Array(31) } },
      'config.snapshot.encryptionKey',
    ],
    ['config', { snapshot: { file: 'a', encryptionKey: 5 } }, 'config.snapshot.encryptionKey'],
    ['lock', { localTurns: 0 }, 'lock.localTurns'],
    ['lock', { localTurns: 2 ** 20 }, 'lock.localTurns'],
    ['lock', { localMs: -1 }, 'lock.localMs'],
    ['lock', { turns: 1 }, 'lock.turns'],
    ['traffic', { limit: {} }, 'traffic.limit'],
    ['traffic', { limits: [] }, 'traffic.limits'],
    ['traffic', { limits: { '': { limit: 1, windowMs: 1, mode: 'fleet' } } }, 'traffic.limits'],
    ['traffic', { limits: { orders: 5 } }, 'traffic.limits.orders'],
    ['traffic', { limits: { orders: limit({ limit: 0 }) } }, 'traffic.limits.orders.limit'],
    ['traffic', { limits: { orders: limit({ limit: -1 }) } }, 'traffic.limits.orders.limit'],
    ['traffic', { limits: { orders: limit({ limit: NaN }) } }, 'traffic.limits.orders.limit'],
    ['traffic', { limits: { orders: limit({ windowMs: 0 }) } }, 'traffic.limits.orders.windowMs'],
    ['traffic', { limits: { orders: limit({ per: 's' }) } }, 'traffic.limits.orders.per'],
    [
      'traffic',
      { policies: { stock: { retry: { attempts: 0 } } } },
      'traffic.policies.stock.retry.attempts',
    ],
    ['traffic', { policies: { stock: { timeout: 5 } } }, 'traffic.policies.stock.timeout'],
    ['traffic', { switches: { ads: { priority: 0 } } }, 'traffic.switches.ads.priority'],
    ['traffic', { switches: { ads: { auto: {} } } }, 'traffic.switches.ads.auto'],
    ['batcher', { windowMs: -1 }, 'batcher'],
    ['batcher', { maxOperations: 129 }, 'batcher'],
    ['batcher', { window: 5 }, 'batcher.window'],
    ['watch', { checkIntervalMs: -1 }, 'watch.checkIntervalMs'],
    ['watch', { checkIntervalMs: 2 ** 31 }, 'watch.checkIntervalMs'],
    ['watch', 60_000, 'watch'],
    ['credentials', { privateKey: pem }, 'credentials.certChain'],
    ['credentials', { certChain: pem }, 'credentials.privateKey'],
    ['credentials', { rootCertificate: 'ca.pem' }, 'credentials.rootCertificate'],
    ['credentials', { rootCertificate: Buffer.from('ca.pem') }, 'credentials.rootCertificate'],
    ['credentials', { rootCertificate: pem }, 'credentials'],
  ])('refuse %s: %j, naming %s', (name, value, option) => {
    expect(refusal({ endpoints, [name]: value }).option).toBe(option);
  });

  it('show the value and the cure', () => {
    expect(refusal({ endpoints, session: { ttlSeconds: 0.5 } }).message).toBe(
      'The option "session.ttlSeconds" of EtcdCoordinationModule is 0.5: give a whole number of seconds from 1 to 86400, or leave it out for 10.',
    );
    expect(refusal({ endpoints, session: { ttlSeconds: '5' } }).message).toContain(`is '5'`);
  });

  it.each([
    [{ endpoint: endpoints }, 'endpoint', 'Did you mean "endpoints"?'],
    [{ endpoints, hosts: 'x' }, 'hosts', 'The options here are: endpoints'],
    [{ endpoints, nameSpace: 'x' }, 'nameSpace', 'Did you mean "namespace"?'],
    [{ endpoints, session: { ttlSecond: 5 } }, 'session.ttlSecond', '"session.ttlSeconds"?'],
    [{ endpoints, timeouts: { reads: 5 } }, 'timeouts.reads', '"timeouts.read"?'],
  ])('name what was meant by an unknown one: %j', (options, option, words) => {
    const error = refusal(options);

    expect(error.option).toBe(option);
    expect(error.message).toContain(words);
  });

  it('never show a secret', () => {
    const secret = 'hunter2hunter2';
    const error = refusal({ endpoints, auth: { username: '', password: secret } });
    expect(error.message).not.toContain(secret);
    const key = refusal({
      endpoints: ['https://a:1'],
      credentials: { privateKey: Buffer.from(secret) },
    });
    expect(key.message).not.toContain(secret);
    expect(JSON.stringify(key)).not.toContain(secret);
    const whole = refusal({ endpoints, auth: secret });
    expect(inspect(whole)).not.toContain(secret);
    const slip = refusal({ endpoints, auth: { username: 'app', pasword: secret } });
    expect(inspect(slip)).not.toContain(secret);
    const encryptionKey = Buffer.from(secret).toString('hex');
    const snapshot = refusal({ endpoints, config: { snapshot: { file: 'a', encryptionKey } } });
    expect(inspect(snapshot)).not.toContain(encryptionKey);
  });
});
