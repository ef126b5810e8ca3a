import type { RangeRequest, TxnRequest } from '../grpc/wire.js';

/**
 * A range end that is sent, but empty, means "and all after" to etcd where it
 * reads the request as it came; left out, it means one key. The decoder shows
 * both alike, so the bytes are looked at. Writes go through etcd's log, which
 * forgets the difference.
 */
const EVERYTHING_AFTER = Buffer.from([0]);

/** Field numbers of etcd's messages. */
const RANGE_END = 2;
const COMPARE_RANGE_END = 64;
const COMPARE = 1;
const SUCCESS = 2;
const FAILURE = 3;
const REQUEST_RANGE = 1;

/** The request, its end made plain. */
export function withPlainEnd(request: RangeRequest, bytes: Buffer): RangeRequest {
  return hasEmpty(bytes, RANGE_END) ? { ...request, range_end: EVERYTHING_AFTER } : request;
}

/** The same for a transaction that only reads, which does not go through the log either. */
export function withPlainEnds(request: TxnRequest, bytes: Buffer): TxnRequest {
  const parts = [...fieldsOf(bytes)];
  const of = (field: number) => parts.filter((part) => part.field === field);
  const operations = (field: number, side: TxnRequest['success']) =>
    of(field).map(({ content }, index) => {
      const operation = side[index]!;
      const range = [...fieldsOf(content)].find((part) => part.field === REQUEST_RANGE);
      if (!operation.request_range || !range) return operation;
      return { ...operation, request_range: withPlainEnd(operation.request_range, range.content) };
    });
  return {
    compare: of(COMPARE).map(({ content }, index) => {
      const compare = request.compare[index]!;
      const isOpen = hasEmpty(content, COMPARE_RANGE_END);
      return isOpen ? { ...compare, range_end: EVERYTHING_AFTER } : compare;
    }),
    success: operations(SUCCESS, request.success),
    failure: operations(FAILURE, request.failure),
  };
}

function hasEmpty(bytes: Buffer, field: number): boolean {
  let last: Buffer | undefined;
  for (const part of fieldsOf(bytes)) if (part.field === field) last = part.content;
  return last?.length === 0;
}

/** The fields of a message that have a length: bytes, strings and messages. */
function* fieldsOf(bytes: Buffer): Generator<{ field: number; content: Buffer }> {
  let at = 0;
  const varint = () => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    // etcd's requests have nothing but varints and lengths.
    if (tag % 8 !== 2) {
      varint();
      continue;
    }
    const length = varint();
    yield { field: Math.floor(tag / 8), content: bytes.subarray(at, at + length) };
    at += length;
  }
}
