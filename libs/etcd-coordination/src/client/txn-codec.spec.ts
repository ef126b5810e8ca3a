import { credentials } from '@grpc/grpc-js';
import { noop } from 'cockatiel';
import { Host } from 'etcd3/lib/connection-pool.js';
import type { ITxnRequest } from 'etcd3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTxnRequest } from './txn-request.js';
import { decodeTxnResponse } from './txn-response.js';

interface Codec {
  requestSerialize(request: unknown): Buffer;
  requestDeserialize(bytes: Buffer): unknown;
  responseSerialize(response: unknown): Buffer;
  responseDeserialize(bytes: Buffer): never;
}

const host = new Host('127.0.0.1:1', credentials.createInsecure(), {}, noop);
const { service } = host.getServiceClient('KV').constructor as unknown as {
  readonly service: { readonly Txn: Codec };
};
host.close();
const codec = service.Txn;

function neverOtherwise(): never {
  throw new Error('The general codec was asked.');
}

const signed = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String);
const unsigned = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String);
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const optional = { requiredKeys: [] as [] };

describe('requests', () => {
  const revision = fc.oneof(signed, fc.nat(300).map(String), fc.nat());
  const range = fc.record(
    {
      key: bytes,
      range_end: bytes,
      limit: revision,
      revision,
      serializable: fc.boolean(),
      keys_only: fc.boolean(),
      count_only: fc.boolean(),
    },
    optional,
  );
  const put = fc.record(
    { key: bytes, value: bytes, lease: revision, prev_kv: fc.boolean() },
    optional,
  );
  const deletion = fc.record({ key: bytes, range_end: bytes, prev_kv: fc.boolean() }, optional);
  const compare = fc
    .tuple(
      fc.record(
        {
          result: fc.constantFrom('Equal', 'Greater', 'Less', 'NotEqual'),
          target: fc.constantFrom('Version', 'Create', 'Mod', 'Value', 'Lease'),
          key: bytes,
        },
        optional,
      ),
      fc.oneof(
        fc.record({ version: revision }),
        fc.record({ create_revision: revision }),
        fc.record({ mod_revision: revision }),
        fc.record({ value: bytes }),
        fc.record({ lease: revision }),
        fc.constant({}),
      ),
    )
    .map(([shared, target]) => ({ ...shared, ...target }));
  const { txn } = fc.letrec((tie) => ({
    operation: fc.oneof(
      { maxDepth: 2, depthIdentifier: 'txn' },
      fc.oneof(
        range.map((request_range) => ({ request_range })),
        put.map((request_put) => ({ request_put })),
        deletion.map((request_delete_range) => ({ request_delete_range })),
      ),
      tie('txn').map((request_txn) => ({ request_txn })),
    ),
    txn: fc.record(
      {
        compare: fc.array(compare, { maxLength: 3 }),
        success: fc.array(tie('operation'), { maxLength: 4 }),
        failure: fc.array(tie('operation'), { maxLength: 3 }),
      },
      optional,
    ),
  }));

  it("are written as etcd3's own encoder does", () => {
    fc.assert(
      fc.property(txn, (request) => {
        const sent = encodeTxnRequest(request as ITxnRequest, neverOtherwise);
        const theirs = codec.requestSerialize(request);
        expect(codec.requestDeserialize(sent)).toEqual(codec.requestDeserialize(theirs));
      }),
    );
  });

  it.each<[string, object]>([
    ['a field that it does not know', { success: [{ request_put: { ignore_value: true } }] }],
    ['an order', { success: [{ request_range: { sort_order: 'Ascend' } }] }],
    ['an operation of no kind', { success: [{}] }],
    ['one of two kinds', { success: [{ request_put: {}, request_range: {} }] }],
    ['a key in words', { success: [{ request_put: { key: 'key' } }] }],
    ['a number below zero', { success: [{ request_put: { lease: '-1' } }] }],
    ['a number beyond its type', { compare: [{ mod_revision: '9223372036854775808' }] }],
    ['no number', { success: [{ request_put: { lease: 'x' } }] }],
    ['a number in no digits', { success: [{ request_put: { lease: '' } }] }],
    ['null', { success: [{ request_put: { lease: null } }] }],
    ['null for a list', { success: null }],
    ['an enum by number', { compare: [{ target: 2 }] }],
    ['two targets', { compare: [{ version: '1', lease: '2' }] }],
    ['a range of comparisons', { compare: [{ range_end: Buffer.from('z') }] }],
    ['another field', { other: 1 }],
  ])('leaves to the general encoder what holds %s', (_, request) => {
    const written = encodeTxnRequest(request, () => Buffer.from('the other one'));
    expect(written.toString()).toBe('the other one');
  });
});

describe('answers', () => {
  const header = fc.record({
    cluster_id: unsigned,
    member_id: unsigned,
    revision: signed,
    raft_term: unsigned,
  });
  const kv = fc.record({
    key: bytes,
    create_revision: signed,
    mod_revision: signed,
    version: signed,
    value: bytes,
    lease: signed,
  });
  const { txn } = fc.letrec((tie) => ({
    operation: fc.oneof(
      { maxDepth: 2, depthIdentifier: 'txn' },
      fc.oneof(
        fc
          .record(
            { header, kvs: fc.array(kv, { maxLength: 3 }), more: fc.boolean(), count: signed },
            optional,
          )
          .map((response_range) => ({ response_range })),
        fc.record({ header, prev_kv: kv }, optional).map((response_put) => ({ response_put })),
        fc
          .record({ header, deleted: signed, prev_kvs: fc.array(kv, { maxLength: 3 }) }, optional)
          .map((response_delete_range) => ({ response_delete_range })),
      ),
      tie('txn').map((response_txn) => ({ response_txn })),
    ),
    txn: fc.record(
      { header, succeeded: fc.boolean(), responses: fc.array(tie('operation'), { maxLength: 4 }) },
      optional,
    ),
  }));

  it("are read as etcd3's own decoder does", () => {
    fc.assert(
      fc.property(header, txn, (outermost, response) => {
        const sent = codec.responseSerialize({ ...(response as object), header: outermost });
        expect(decodeTxnResponse(sent, neverOtherwise)).toEqual(codec.responseDeserialize(sent));
      }),
    );
  });

  it('are read so as well where some are the same as those before them', () => {
    const some = fc.array(fc.tuple(txn, fc.integer({ min: 1, max: 4 })), { maxLength: 4 });
    fc.assert(
      fc.property(header, some, (outermost, inner) => {
        const responses = inner.flatMap(([response, times]) => {
          const { responses: [first] = [] } = response as { readonly responses?: unknown[] };
          return Array.from({ length: times }, () => first ?? { response_put: {} });
        });
        const sent = codec.responseSerialize({ header: outermost, succeeded: true, responses });
        expect(decodeTxnResponse(sent, neverOtherwise)).toEqual(codec.responseDeserialize(sent));
      }),
    );
  });

  it('are left to the general decoder if they are unknown or broken off', () => {
    const known = { cluster_id: '1', member_id: '2', revision: '3', raft_term: '4' };
    const put = { response_put: { header: known } };
    const sent = codec.responseSerialize({ header: known, succeeded: true, responses: [put, put] });
    const ofTomorrow = Buffer.concat([sent, Buffer.of((9 << 3) | 0, 1)]);
    const empty = codec.responseSerialize({ header: known, responses: [{}] });
    const headless = codec.responseSerialize({ responses: [put] });
    for (const bytesOfIt of [ofTomorrow, empty, headless]) {
      expect(() => decodeTxnResponse(bytesOfIt, neverOtherwise)).toThrow('general codec');
    }
    const read = (decode: () => unknown) => {
      try {
        return decode();
      } catch {
        return 'refused';
      }
    };
    for (let length = 1; length < sent.length; length += 1) {
      const broken = sent.subarray(0, length);
      const general = (given: Buffer) => codec.responseDeserialize(given);
      expect(read(() => decodeTxnResponse(broken, general))).toEqual(read(() => general(broken)));
    }
  });
});
