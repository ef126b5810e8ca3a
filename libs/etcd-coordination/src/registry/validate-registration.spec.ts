import { describe, expect, it } from 'vitest';
import type { ServiceRegistration } from './registration-options.js';
import { InvalidRegistrationError } from './registry.errors.js';
import { readRegistration } from './validate-registration.js';

const read = (given: unknown) =>
  readRegistration({ name: 'orders', address: 'http://h:1', ...(given as object) }, 'p-1');

function refusal(given: unknown): InvalidRegistrationError {
  try {
    read(given);
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidRegistrationError);
    return error as InvalidRegistrationError;
  }
  return expect.unreachable('it was taken');
}

describe('a registration', () => {
  it('has a default for all but its name and its address', () => {
    expect(read({})).toEqual({
      ...{ service: 'orders', id: 'p-1' },
      ...{ address: 'http://h:1', protocol: 'http', host: 'h', port: 1 },
      ...{ zone: null, weight: 1, version: null, metadata: {}, probe: null },
      health: {
        ...{ checks: {}, intervalMs: 5000, timeoutMs: 2000, failures: 3, passes: 2 },
        maxEventLoopDelayMs: null,
      },
    });
  });

  it.each<[string, ServiceRegistration['protocol'], string]>([
    ['http://example.com', undefined, 'http://example.com:80'],
    ['https://Example.COM/', undefined, 'https://example.com:443'],
    ['HTTP://h:08', undefined, 'http://h:8'],
    ['grpc://10.0.0.7:5000', 'grpc', 'grpc://10.0.0.7:5000'],
    ['grpcs://h:1', undefined, 'grpcs://h:1'],
    ['tcp://[2001:DB8::1]:65535', undefined, 'tcp://[2001:db8::1]:65535'],
    ['h:3000', undefined, 'http://h:3000'],
    ['[::1]:3000', 'tcp', 'tcp://[::1]:3000'],
    ['my_host.svc.cluster.local.:1', 'https', 'https://my_host.svc.cluster.local.:1'],
  ])('may be at %s (%s)', (address, protocol, known) => {
    expect(read({ address, protocol }).address).toBe(known);
  });

  it.each<[unknown, RegExp]>([
    [undefined, /is missing/],
    ['', /is ''/],
    [7, /is 7/],
    ['h', /has no port/],
    ['h:', /port "", which is no number/],
    ['tcp://h', /has no port/],
    ['http://', /is malformed/],
    ['http://:80', /is malformed/],
    ['http://h:0', /port 0, which is not from 1 to 65535/],
    ['h:70000', /port 70000, which is not from 1 to 65535/],
    ['h:-1', /port "-1"/],
    ['h:80x', /port "80x"/],
    ['h:1:2', /port "1:2"/],
    ['::1:80', /is malformed/],
    ['http://[::g]:80', /no IPv6 address/],
    ['http://[fe80::1%eth0]:80', /no IPv6 address/],
    ['http://h:80/path', /more than a host and a port/],
    ['http://h:80?x', /more than a host and a port/],
    ['http://h:80#x', /more than a host and a port/],
    ['h:80/', /more than a host and a port/],
    ['ftp://h:21', /protocol "ftp"/],
    ['http://a b:80', /no host name/],
    ['http://-h:80', /no host name/],
    ['http://h..x:80', /no host name/],
    ['http://999.1.1.1:80', /no IPv4 address/],
    ['http://0.0.0.0:80', /every interface/],
    ['http://[::]:80', /every interface/],
    ['http://h\0:80', /no host name/],
  ])('may not be at %s', (address, why) => {
    const error = refusal({ address });
    expect(error).toMatchObject({ code: 'INVALID_REGISTRATION', option: 'address' });
    expect(error.message).toMatch(why);
    expect(error.message).toContain('http://10.0.0.7:3000');
  });

  it('says nothing of a password in its address', () => {
    const { message } = refusal({ address: 'http://me:secret@h:80' });
    expect(message).toMatch(/holds a user/);
    expect(message).not.toMatch(/secret|me:/);
  });

  it.each<[string, unknown]>([
    ['options', null],
    ['name', { name: undefined }],
    ['name', { name: '' }],
    ['name', { name: 'a\0b' }],
    ['name', { name: '\ud800' }],
    ['name', { name: 'x'.repeat(513) }],
    ['name', { name: 7 }],
    ['id', { id: '' }],
    ['id', { id: 'a\0b' }],
    ['id', { id: 'a\udc00' }],
    ['id', { id: 'x'.repeat(1025) }],
    ['id', { id: 7 }],
    ['protocol', { protocol: 'udp' }],
    ['protocol', { protocol: null }],
    ['address', { protocol: 'grpc' }],
    ['zone', { zone: '' }],
    ['zone', { zone: 1 }],
    ['version', { version: 1 }],
    ['weight', { weight: -1 }],
    ['weight', { weight: 0 }],
    ['weight', { weight: NaN }],
    ['weight', { weight: Infinity }],
    ['weight', { weight: '1' }],
    ['metadata', { metadata: [] }],
    ['metadata', { metadata: 'x' }],
    ['metadata', { metadata: new Map([['a', 'b']]) }],
    ['metadata', { metadata: new (class Track {})() }],
    ['metadata.a', { metadata: { a: 1 } }],
    ['metadata', { metadata: { a: 'x'.repeat(64 * 1024) } }],
    [
      'metadata',
      { metadata: Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`key-${i}`, ''])) },
    ],
    ['health', { health: true }],
    ['health.intervalMs', { health: { intervalMs: 0 } }],
    ['health.intervalMs', { health: { intervalMs: 0.5 } }],
    ['health.intervalMs', { health: { intervalMs: 99 } }],
    ['health.timeoutMs', { health: { timeoutMs: 9 } }],
    ['health.timeoutMs', { health: { timeoutMs: NaN } }],
    ['health.timeoutMs', { health: { timeoutMs: 2 ** 31 } }],
    ['health.failures', { health: { failures: -1 } }],
    ['health.passes', { health: { passes: null } }],
    ['health.maxEventLoopDelayMs', { health: { maxEventLoopDelayMs: 0 } }],
    ['health.maxEventLoopDelayMs', { health: { maxEventLoopDelayMs: Infinity } }],
    ['health.checks', { health: { checks: [] } }],
    ['health.checks.db', { health: { checks: { db: true } } }],
    ['health.checks', { health: { checks: { '': () => true } } }],
    ['health.probe', { health: { probe: 'http' } }],
    ['health.probe.kind', { health: { probe: {} } }],
    ['health.probe.port', { health: { probe: { kind: 'tcp', port: 70_000 } } }],
    ['health.probe.target', { health: { probe: { kind: 'http', target: 'health' } } }],
    ['health.probe.port', { health: { probe: { kind: 'tcp', port: 0 } } }],
    ['health.probe.intervalMs', { health: { probe: { kind: 'tcp', intervalMs: 249 } } }],
    ['health.probe.timeoutMs', { health: { probe: { kind: 'tcp', timeoutMs: 9 } } }],
    ['health.probe.failures', { health: { probe: { kind: 'tcp', failures: 0 } } }],
    ['health.probe.path', { health: { probe: { kind: 'http', path: '/' } } }],
    ['adress', { adress: 'http://h:1' }],
  ])('is refused for its %s: %j', (option, given) => {
    const error =
      given === null
        ? (() => {
            try {
              return readRegistration(null, 'p-1');
            } catch (refused) {
              return refused as InvalidRegistrationError;
            }
          })()
        : refusal(given);
    expect(error).toMatchObject({ code: 'INVALID_REGISTRATION', option });
    expect((error as Error).message).toContain(`"${option}"`);
  });

  it('takes 64 KB of metadata, and keeps its own copy', () => {
    const metadata = { a: 'x'.repeat(64 * 1024 - 1) };
    const known = read({ metadata });
    metadata.a = '';
    expect(known.metadata['a']).toHaveLength(64 * 1024 - 1);
  });

  it('says of a number what it is, and what it may be', () => {
    expect(refusal({ health: { intervalMs: 1 } }).message).toBe(
      'The option "health.intervalMs" of a registration is 1: give a whole number of milliseconds from 100 to 86400000, or leave it out for 5000.',
    );
    const probe = { kind: 'tcp', intervalMs: 100 };
    expect(refusal({ health: { intervalMs: 200, probe } }).message).toBe(
      'The option "health.probe.intervalMs" of a registration is 100: give a whole number of milliseconds from 250 to 86400000, or leave it out for 250.',
    );
  });

  it('may check itself more often than it is probed', () => {
    const health = { intervalMs: 100, timeoutMs: 10, probe: { kind: 'tcp' } };
    expect(read({ health })).toMatchObject({
      health: { intervalMs: 100, timeoutMs: 10 },
      probe: { intervalMs: 250, timeoutMs: 10 },
    });
    const least = { kind: 'tcp', intervalMs: 250, timeoutMs: 10 };
    expect(read({ health: { probe: least } }).probe).toMatchObject(least);
  });

  it('is probed as it asks, by the numbers of its health', () => {
    const health = { intervalMs: 900, probe: { kind: 'http', target: '/ready', passes: 1 } };
    expect(read({ health }).probe).toEqual({
      ...{ kind: 'http', port: null, target: '/ready' },
      ...{ intervalMs: 900, timeoutMs: 2000, failures: 3, passes: 1 },
    });
  });
});
