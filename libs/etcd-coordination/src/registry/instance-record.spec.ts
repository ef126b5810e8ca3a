import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInstanceRecord, encodeInstanceRecord } from './instance-record.js';
import { parseServiceAddress, readServiceAddress } from './service-address.js';
import { decodeVerdictRecord, encodeVerdictRecord } from './verdict-record.js';

const RECORD = {
  address: 'http://[::1]:3000',
  protocol: 'http',
  host: '::1',
  port: 3000,
  zone: 'eu-1',
  weight: 0.5,
  version: null,
  metadata: { a: '1', __proto__x: 'ü' },
  probe: {
    kind: 'http',
    port: 8080,
    target: '/health',
    intervalMs: 1,
    timeoutMs: 2,
    failures: 3,
    passes: 4,
  },
  state: 'down',
  reason: 'disk',
  by: 'p-1',
  mark: 'm',
} as const;

const decode = (value: unknown) =>
  decodeInstanceRecord(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

describe("an instance's record", () => {
  it('is read as it was written, whatever was added to it', () => {
    expect(decodeInstanceRecord(encodeInstanceRecord(RECORD))).toEqual(RECORD);
    const said = JSON.parse(encodeInstanceRecord(RECORD).toString()) as object;
    expect(decode({ ...said, color: 'blue', probe: { ...RECORD.probe, more: 1 } })).toEqual(RECORD);
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{"address":'],
    ['a number', '7'],
    ['null', 'null'],
    ['a list', [RECORD]],
    ['no address', { state: 'up' }],
    ['an address that is none', { address: 'http://h:0', state: 'up' }],
    ['no state', { address: 'http://h:1' }],
    ['a state that is none', { address: 'http://h:1', state: 'fine' }],
  ])('is none: %s', (_, value) => {
    expect(decode(value)).toBeNull();
    expect(decodeVerdictRecord(Buffer.from([0xff, 0xfe]))).toBeNull();
  });

  it('is read without what cannot be', () => {
    const odd = {
      zone: 7,
      weight: -1,
      version: '',
      metadata: { a: 1, b: 'x' },
      probe: { kind: 'x' },
    };
    expect(decode({ address: 'http://h:1', state: 'up', ...odd })).toMatchObject({
      ...{ zone: null, weight: 1, version: null, metadata: { b: 'x' }, probe: null },
      ...{ reason: null, by: '', mark: '' },
    });
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), fc.uint8Array(), (text, bytes) => {
        for (const data of [Buffer.from(text), Buffer.from(bytes)]) {
          decodeInstanceRecord(data);
          decodeVerdictRecord(data);
        }
      }),
    );
    fc.assert(
      fc.property(fc.object(), (odd) => {
        expect(decode({ ...odd, address: 'tcp://h:1', state: 'up' })).toMatchObject({ port: 1 });
      }),
    );
  });
});

describe("a verdict's record", () => {
  it('is read as it was written', () => {
    const verdict = { state: 'down', by: 'p', reason: null, mark: 'm', ownLease: '7' } as const;
    expect(decodeVerdictRecord(encodeVerdictRecord(verdict))).toEqual(verdict);
  });
});

it.each([
  'http://10.0.0.17:3000',
  'grpcs://stock.example:443',
  'tcp://a_b:1',
  'HTTP://Stock:80',
  'http://stock',
  'https://[2001:db8::1]:8443',
  'http://stock:0',
  'http://stock:70000',
  'http://1.2.3:80',
  'http://256.1.1.1:80',
  'http://0.0.0.0:80',
  'http://-a:80',
  'http://a..b:80',
  'http://stock:080',
  'ftp://stock:80',
])('reads %s of a record as of options', (text) => {
  const parse = () => {
    try {
      return parseServiceAddress(text);
    } catch {
      return null;
    }
  };
  expect(readServiceAddress(text)).toEqual(parse());
});
