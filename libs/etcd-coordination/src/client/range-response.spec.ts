import { credentials } from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Host } from 'etcd3/lib/connection-pool.js';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeRangeResponse } from './range-response.js';

interface Codec {
  responseSerialize(response: unknown): Buffer;
  responseDeserialize(bytes: Buffer): never;
}

const host = new Host('127.0.0.1:1', credentials.createInsecure(), {}, noop);
const { service } = host.getServiceClient('KV').constructor as unknown as {
  readonly service: { readonly Range: Codec };
};
host.close();
const codec = service.Range;

const signed = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
const unsigned = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const responses = fc.record({
  header: fc.record({
    cluster_id: unsigned,
    member_id: unsigned,
    revision: signed,
    raft_term: unsigned,
  }),
  kvs: fc.array(
    fc.record({
      key: bytes,
      create_revision: signed,
      mod_revision: signed,
      version: signed,
      value: bytes,
      lease: signed,
    }),
    { maxLength: 5 },
  ),
  more: fc.boolean(),
  count: signed,
});

function neverOtherwise(): never {
  throw new Error('The general decoder was asked.');
}

it("reads every answer as etcd3's own decoder does", () => {
  fc.assert(
    fc.property(responses, (response) => {
      const sent = codec.responseSerialize(response);
      expect(decodeRangeResponse(sent, neverOtherwise)).toEqual(codec.responseDeserialize(sent));
    }),
  );
});

it('leaves what it does not know, and what is broken off, to the general decoder', () => {
  const header = { cluster_id: '1', member_id: '2', revision: '3', raft_term: '4' };
  const kv = { key: Buffer.from('key'), value: Buffer.from('value'), lease: '7' };
  const sent = codec.responseSerialize({ header, kvs: [kv], count: '1' });
  const ofTomorrow = Buffer.concat([sent, Buffer.of((9 << 3) | 0, 1)]);
  const belowZero = codec.responseSerialize({ header, kvs: [{ ...kv, lease: '-1' }] });
  const headless = codec.responseSerialize({ kvs: [kv] });
  for (const known of [ofTomorrow, belowZero, headless]) {
    const others = codec.responseDeserialize(known);
    expect(decodeRangeResponse(known, (given) => codec.responseDeserialize(given))).toEqual(others);
    expect(() => decodeRangeResponse(known, neverOtherwise)).toThrow('general decoder');
  }
  for (let length = 1; length < sent.length; length += 1) {
    const broken = sent.subarray(0, length);
    const read = (decode: () => unknown) => {
      try {
        return decode();
      } catch {
        return 'refused';
      }
    };
    expect(
      read(() => decodeRangeResponse(broken, (given) => codec.responseDeserialize(given))),
    ).toEqual(read(() => codec.responseDeserialize(broken)));
  }
});
