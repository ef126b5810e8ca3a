import fc from 'fast-check';
import { b, ends } from './requests.js';

/** Few keys, so that steps meet; some that only differ at the end, and one of no text. */
const KEYS = ['a', 'a\0', 'aa', 'b', 'c', '\xff'];
const ENDS = ['', '', 'a\0', 'b', 'c', '\0'];
const LEASES = [1, 2, 3];

/** A revision, told as how far it is from that at the start. */
export interface Since {
  readonly since: number;
}

/** One thing done to a server. Revisions in it are relative until it is played. */
export type Step =
  | {
      readonly kind: 'call';
      readonly service: 'KV' | 'Lease';
      readonly method: string;
      readonly request: object;
    }
  | { readonly kind: 'compact'; readonly revision: Since }
  | { readonly kind: 'keepAlive'; readonly id: number }
  | { readonly kind: 'watch'; readonly request: object; readonly start: Since | null }
  | { readonly kind: 'cancel'; readonly nth: number };

const key = fc.constantFrom(...KEYS).map(b);
const end = fc.constantFrom(...ENDS).map(ends);
const value = fc.constantFrom('', 'x', 'y', '\xff\0').map(b);
/** Lease 9 is never granted, and makes what names it fail. */
const lease = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 8, arbitrary: fc.constantFrom(1, 1, ...LEASES) },
  { weight: 1, arbitrary: fc.constant(9) },
);
const flag = fc.boolean();
const rarely = fc.oneof(
  { weight: 7, arbitrary: fc.constant(false) },
  { weight: 1, arbitrary: fc.constant(true) },
);
const revision: fc.Arbitrary<Since> = fc.integer({ min: -2, max: 30 }).map((since) => ({ since }));
const maybeRevision = fc.option(revision, { nil: 0 as const, freq: 3 });

/** The lease of a put that keeps the old one would be an error, which is wanted only now and then. */
const putRequest = fc
  .record({
    key,
    value,
    lease,
    prev_kv: flag,
    ignore_value: rarely,
    ignore_lease: rarely,
    strict: rarely,
  })
  .map(({ strict, ...put }) => ({
    ...put,
    ...(!strict && put.ignore_value && { value: b('') }),
    ...(!strict && put.ignore_lease && { lease: 0 }),
  }));

/** Each option is left alone more often than not, as one can hide what another does. */
const seldom = <T>(option: fc.Arbitrary<T>, usual: T): fc.Arbitrary<T> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: option });
const bound = seldom<Since | number>(revision, 0);

const rangeRequest = fc
  .tuple(
    fc.record({
      key,
      limit: fc.constantFrom(0, 0, 1, 2, 4),
      revision: maybeRevision,
      sort_order: seldom(fc.constantFrom('Ascend', 'Descend'), 'None'),
      sort_target: seldom(fc.constantFrom('Version', 'Create', 'Mod', 'Value'), 'Key'),
      serializable: flag,
      keys_only: rarely,
      count_only: rarely,
      min_mod_revision: bound,
      max_mod_revision: bound,
      min_create_revision: bound,
      max_create_revision: bound,
    }),
    end,
  )
  .map(([request, rangeEnd]) => ({ ...request, ...rangeEnd }));

const deleteRequest = fc
  .tuple(fc.record({ key, prev_kv: flag }), end)
  .map(([request, rangeEnd]) => ({ ...request, ...rangeEnd }));

const operand = fc.oneof(
  fc.record({ target: fc.constant('Version'), version: fc.nat(4) }),
  fc.record({ target: fc.constant('Create'), create_revision: fc.oneof(fc.constant(0), revision) }),
  fc.record({ target: fc.constant('Mod'), mod_revision: fc.oneof(fc.constant(0), revision) }),
  fc.record({ target: fc.constant('Value'), value }),
  fc.record({ target: fc.constant('Lease'), lease }),
);

const compare = fc
  .tuple(
    fc.record({ key, result: fc.constantFrom('Equal', 'Greater', 'Less', 'NotEqual') }),
    operand,
    end,
  )
  .map(([place, against, rangeEnd]) => ({ ...place, ...against, ...rangeEnd }));

/**
 * A transaction may find a key gone when it comes to a put that keeps its value: real servers end with a
 * panic then ("unexpected error during txn with writes", 3.5.16), which is not to be copied.
 */
const wholePut = putRequest.map((request) => ({
  ...request,
  ignore_value: false,
  ignore_lease: false,
}));

const { txnRequest } = fc.letrec<{ txnRequest: object; operation: object }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 3, depthIdentifier: 'txn' },
    wholePut.map((request_put) => ({ request_put })),
    wholePut.map((request_put) => ({ request_put })),
    rangeRequest.map((request_range) => ({ request_range })),
    deleteRequest.map((request_delete_range) => ({ request_delete_range })),
    tie('txnRequest').map((request_txn) => ({ request_txn })),
  ),
  txnRequest: fc.record({
    compare: fc.array(compare, { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 3, depthIdentifier: 'txn' }),
    failure: fc.array(tie('operation'), { maxLength: 3, depthIdentifier: 'txn' }),
  }),
}));

const call =
  (service: 'KV' | 'Lease', method: string) =>
  (request: object): Step => ({
    kind: 'call',
    service,
    method,
    request,
  });

const leaseId = fc.constantFrom(...LEASES, 9).map((ID) => ({ ID }));

const watchStep = fc
  .tuple(
    fc.record({
      key,
      prev_kv: flag,
      filters: fc.constantFrom([], [], [], ['Noput'], ['Nodelete']),
      fragment: rarely,
    }),
    end,
    fc.option(revision, { freq: 2 }),
  )
  .map(([request, rangeEnd, start]): Step => ({
    kind: 'watch',
    request: { ...request, ...rangeEnd },
    start,
  }));

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: putRequest.map(call('KV', 'Put')) },
  { weight: 5, arbitrary: rangeRequest.map(call('KV', 'Range')) },
  { weight: 3, arbitrary: deleteRequest.map(call('KV', 'DeleteRange')) },
  { weight: 8, arbitrary: txnRequest.map(call('KV', 'Txn')) },
  { weight: 2, arbitrary: leaseId.map((id) => call('Lease', 'LeaseGrant')({ ...id, TTL: 1000 })) },
  { weight: 2, arbitrary: leaseId.map(call('Lease', 'LeaseRevoke')) },
  {
    weight: 1,
    arbitrary: leaseId.map((id) => call('Lease', 'LeaseTimeToLive')({ ...id, keys: true })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(...LEASES, 9).map((id): Step => ({ kind: 'keepAlive', id })),
  },
  { weight: 1, arbitrary: revision.map((at): Step => ({ kind: 'compact', revision: at })) },
  { weight: 4, arbitrary: watchStep },
  { weight: 1, arbitrary: fc.nat(5).map((nth): Step => ({ kind: 'cancel', nth })) },
);

/** A life of an etcd, of up to forty steps. It has leases, or hardly a key would hang on one. */
export const steps: fc.Arbitrary<Step[]> = fc
  .array(step, { minLength: 5, maxLength: 40, size: 'max' })
  .map((rest) => [...LEASES.map((ID) => call('Lease', 'LeaseGrant')({ ID, TTL: 1000 })), ...rest]);
