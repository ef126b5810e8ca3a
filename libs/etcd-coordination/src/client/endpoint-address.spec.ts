import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InvalidEndpointError, parseEndpoint } from './endpoint-address.js';

describe('an endpoint', () => {
  it.each([
    ['localhost:2379', 'http://localhost:2379', false],
    ['http://10.0.0.1:2379', 'http://10.0.0.1:2379', false],
    ['https://etcd-0.etcd:2379', 'https://etcd-0.etcd:2379', true],
    ['http://etcd:2379/', 'http://etcd:2379', false],
    ['[::1]:2379', 'http://[::1]:2379', false],
    ['https://[2001:db8::7]:02379', 'https://[2001:db8::7]:2379', true],
  ])('%s is %s', (text, url, secure) => {
    const target = url.replace(/^https?:\/\//, '');
    const port = Number(target.split(':').at(-1));
    expect(parseEndpoint(text)).toEqual({ url, secure, target, port });
  });

  it.each([
    ['', 'is empty'],
    ['localhost', 'is malformed'],
    [':2379', 'is malformed'],
    ['http://:2379', 'is malformed'],
    ['localhost:', 'is malformed'],
    ['localhost:http', 'is malformed'],
    ['ftp://localhost:2379', 'is malformed'],
    ['HTTP//localhost:2379', 'is malformed'],
    ['http://localhost:2379/path', 'is malformed'],
    ['http://user:secret@localhost:2379', 'is malformed'],
    ['local host:2379', 'is malformed'],
    [' localhost:2379', 'is malformed'],
    ['localhost:2379 ', 'is malformed'],
    ['a:2379,b:2379', 'is malformed'],
    ['2001:db8::7:2379', 'is malformed'],
    ['localhost:0', 'has the port 0'],
    ['localhost:65536', 'has the port 65536'],
    [2379, 'is not a string'],
    [null, 'is not a string'],
    [undefined, 'is not a string'],
    [new URL('http://localhost:2379'), 'is not a string'],
  ])('%j is refused and named: %s', (bad, problem) => {
    const refused = () => parseEndpoint(bad);
    expect(refused).toThrow(InvalidEndpointError);
    expect(refused).toThrow(problem);
    expect(refused).toThrow(JSON.stringify(bad) ?? 'undefined');
    expect(refused).toThrow('write it as "host:port"');
  });

  it('is either read, and its url read the same again, or refused with our error', () => {
    const close = fc.tuple(
      fc.constantFrom('', 'http://', 'https://', 'HTTP://', 'http:/'),
      fc.oneof(
        fc.domain(),
        fc.ipV4(),
        fc.ipV6().map((ip) => `[${ip}]`),
        fc.string(),
      ),
      fc.oneof(
        fc.integer({ min: -2, max: 70_000 }).map((port) => `:${port}`),
        fc.string(),
      ),
    );
    const text = fc.oneof(
      close.map((parts) => parts.join('')),
      fc.string({ unit: 'binary' }),
    );
    let read = 0;
    fc.assert(
      fc.property(text, (endpoint) => {
        let address;
        try {
          address = parseEndpoint(endpoint);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidEndpointError);
          return;
        }
        read += 1;
        expect(parseEndpoint(address.url)).toEqual(address);
        const port = Number(/:(\d+)$/.exec(address.target)?.[1]);
        expect(port).toBeGreaterThanOrEqual(1);
        expect(port).toBeLessThanOrEqual(65_535);
      }),
      { numRuns: 300 },
    );
    expect(read).toBeGreaterThan(3);
  });
});
